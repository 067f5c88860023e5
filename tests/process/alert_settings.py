"""The settings of a project that mails its alerts: to the SMTP server of the test."""

import os

from tests.harness.mail_settings import SMTP, mail_settings
from tests.process.jobs_settings import *  # noqa: F403

port = int(os.environ.get("WORKERD_TEST_SMTP_PORT", "25"))
globals().update(mail_settings(SMTP, host="127.0.0.1", port=port, timeout=5))

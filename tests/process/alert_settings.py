"""The settings of a project that mails its alerts: to the SMTP server of the test."""

import os

from tests.process.jobs_settings import *  # noqa: F403

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = "127.0.0.1"
EMAIL_PORT = int(os.environ.get("WORKERD_TEST_SMTP_PORT", "25"))
EMAIL_TIMEOUT = 5

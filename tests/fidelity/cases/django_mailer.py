"""django-mailer: its loop that sends the mail of the database; the sending of a mail takes as long as it says."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case("django-mailer", "runmailer", ("django-mailer==2.3.2",), apps=("mailer",))


def settings() -> dict[str, Any]:
    return {
        "EMAIL_BACKEND": "mailer.backend.DbBackend",
        "MAILER_EMAIL_BACKEND": "tests.fidelity.site.mail.SlowBackend",
        "MAILER_EMPTY_QUEUE_SLEEP": 0.1,
    }


def define() -> Any:
    from tests.fidelity.site.mail import send

    return send

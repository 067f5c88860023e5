"""django-post-office: its command sends the mails that wait, under a lock, and ends."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "django-post-office",
    "send_queued_mail --processes 1 --lockfile {folder}/lock",
    ("django-post-office==3.12.0",),
    apps=("post_office",),
    beforehand=True,
    shown="`send_queued_mail --processes 1`",
    columns=("post_office_email.status",),
)


def settings() -> dict[str, Any]:
    return {
        "EMAIL_BACKEND": "post_office.EmailBackend",
        "POST_OFFICE": {
            "BACKENDS": {"default": "tests.fidelity.site.mail.SlowBackend"},
            "THREADS_PER_PROCESS": 1,
            "BATCH_SIZE": 1,
            "SENDING_ORDER": ["created"],
        },
    }


def define() -> Any:
    from tests.fidelity.site.mail import send

    return send

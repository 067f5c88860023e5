"""The settings of mail, as the Django that is installed wants them: a mailer from 6.1 on, before that EMAIL_…"""

from typing import Any

import django

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"


def mail_settings(backend: str, **options: Any) -> dict[str, Any]:
    """Return settings by which mail goes by ``backend``; ``options`` are its host, port and timeout."""
    if django.VERSION >= (6, 1):
        return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
    return {"EMAIL_BACKEND": backend, **{f"EMAIL_{name.upper()}": value for name, value in options.items()}}

"""Alerts by Django's mail, as the project's settings send it."""

from typing import Any

from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage

from workerd.alert_entries import AlertEntry, admins
from workerd.notifier.alert import Alert

from .mail_text import body_of, subject_of
from .way import PATIENCE_S, WayError


class MailWay:
    """One mail to all addresses of an entry, or to ADMINS. A retry has the same Message-ID."""

    def __init__(self, entry: AlertEntry) -> None:
        self._to = entry.mail

    def send(self, alert: Alert) -> None:
        to = self._to or admins()
        if not to:
            raise WayError("ADMINS is empty")
        connection = _connection()
        if getattr(connection, "timeout", PATIENCE_S) is None:  # of SMTP, where EMAIL_TIMEOUT is not set
            connection.timeout = PATIENCE_S
        headers = {"Message-ID": _reference(alert.message_id), "Auto-Submitted": "auto-generated"}
        if alert.state == "resolved":
            headers["In-Reply-To"] = headers["References"] = _reference(f"{alert.id}.raised")
        sender = None if self._to else settings.SERVER_EMAIL  # as Django's own mails to ADMINS
        message = EmailMessage(subject_of(alert), body_of(alert), sender, list(to), headers=headers)
        if not connection.send_messages([message]):
            raise WayError("the mail backend has sent nothing")


def _connection() -> Any:
    """Return what sends mail by the project's settings."""
    mailers = getattr(mail, "mailers", None)  # from Django 6.1 on
    return mail.get_connection() if mailers is None else mailers.default


def _reference(message_id: str) -> str:
    return f"<{message_id}@workerd.invalid>"

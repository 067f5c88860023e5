"""A mail backend whose sending is work, and a mail that says how long it takes."""

from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from .work import work


class SlowBackend(BaseEmailBackend):
    """Sends a mail by doing the work that its subject and body name."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            work(str(message.subject), float(message.body))
        return len(email_messages)


def send(name: str, seconds: float) -> None:
    """Send a mail by the project's backend."""
    EmailMessage(name, str(seconds), "a@example.org", ["b@example.org"]).send()

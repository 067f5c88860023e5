"""The protocol of every way out: a function that sends one alert or raises."""

from typing import Protocol

from workerd.errors import WorkerdError
from workerd.notifier.alert import Alert

PATIENCE_S = 10.0
"""How long a server may be silent."""


class RefusedError(WorkerdError):
    """The other end has said that it will not take this message later either."""


class WayError(WorkerdError):
    """The message did not leave; the next try may go better."""


class Way(Protocol):
    """One way out. Nothing of an error that it raises may be a secret."""

    def send(self, alert: Alert) -> None:
        """Send it, once and within a bounded time where the way knows how. Raises whatever comes in between."""

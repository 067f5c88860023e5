"""Alerts to the project's own code: a callable that ALERTS names, and the receivers of the signals."""

from typing import Any

from django.utils.module_loading import import_string

from workerd.alert_entries import AlertEntry
from workerd.notifier.alert import Alert
from workerd.signals import alert_raised, alert_resolved

from .way import WayError


class CallableWay:
    """Calls a function of the project with the alert; whatever it raises, it is called again later."""

    def __init__(self, entry: AlertEntry) -> None:
        self._target = entry.target

    def send(self, alert: Alert) -> None:
        call: Any = import_string(self._target)
        call(alert)


class SignalWay:
    """Sends the signals. A receiver that raises is said, and is not called again: the others have been called."""

    @staticmethod
    def has_receivers() -> bool:
        return bool(alert_raised.receivers or alert_resolved.receivers)

    def send(self, alert: Alert) -> None:
        signal = alert_raised if alert.state == "raised" else alert_resolved
        failed = [answer for _, answer in signal.send_robust(Alert, alert=alert) if isinstance(answer, Exception)]
        if failed:
            names = ", ".join(sorted({type(error).__name__ for error in failed}))
            raise OnceError(f"{len(failed)} receivers of the signal have raised {names}")


class OnceError(WayError):
    """A part of the message has arrived, and another try would send that part again."""

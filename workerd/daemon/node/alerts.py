"""The alerts of a node put together: what raises them, and what carries them out; nothing where nobody is to hear."""

from workerd.daemon.io.alert_queue import AlertQueue
from workerd.daemon.slots.slot_alerts import SlotAlerts

from .node_alerts import NodeAlerts
from .notifier import Notifier
from .parts import Parts
from .readiness import Readiness


class Alerts:
    """Built with the daemon; ``unsent`` is None where there is no notifier."""

    def __init__(self, parts: Parts, readiness: Readiness) -> None:
        self._parts = parts
        self._readiness = readiness
        self._notifier: Notifier | None = None
        times = parts.config.alerts
        if times is None:
            return
        self._queue = queue = AlertQueue(parts.log, parts.clock)
        SlotAlerts(parts.loop, queue, parts.lifecycle, parts.exits, parts.due_records, times)
        NodeAlerts(parts, queue, times)
        self._notifier = Notifier(queue, parts.slot_set, parts.effects, parts.messages, parts.identity.life)

    def start(self) -> None:
        """Have a notifier, where anybody is to hear of alerts."""
        if self._notifier is not None:
            self._notifier.start()

    def flush(self) -> None:
        """Send the notifier, at the end of a turn, what is new."""
        if self._notifier is not None:
            self._notifier.flush(complete=self._readiness.reached)

    @property
    def unsent(self) -> int | None:
        """How many alerts have not left by every way; those that the notifier does not have yet count as well."""
        return None if self._notifier is None else self._notifier.unsent + self._queue.unkept

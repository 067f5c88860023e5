"""The notifier as the daemon knows it: a slot of its own that takes the alerts, where anybody is to hear of them."""

from workerd.daemon.io.alert_queue import AlertQueue
from workerd.daemon.processes.child import Child
from workerd.daemon.slots.child_messages import ChildMessages
from workerd.daemon.slots.effects import Effects
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.slot_set import SlotSet
from workerd.wire.messages import AlertsKept, AlertsUnsent, Message
from workerd.wire.spec import JobSpec

NOTIFIER_SPEC = JobSpec(
    name="workerd.notifier",
    target="workerd.notifier",
    backoff_max=5.0,
    start_grace=0.1,
    heartbeat_timeout=30.0,
    stop_timeout=4.0,  # it tries for a moment to send what it has; the rest is in its journal
)


class Notifier:
    """Gives the notifier what the queue has, and hears what its journal has."""

    def __init__(
        self, queue: AlertQueue, slot_set: SlotSet, effects: Effects, messages: ChildMessages, life: str
    ) -> None:
        """``life`` is the daemon's: its sequences mean nothing in another one."""
        self._queue = queue
        self._life = life
        self._slot_set = slot_set
        self._child: Child | None = None
        self.unsent = 0
        """How many alerts have not left by every way, as the notifier last said."""
        effects.on_licensing.add(self._license)
        effects.on_licensed.add(self._licensed)
        messages.on_other.add(self._heard)

    def start(self) -> None:
        """Have a notifier, from now to the daemon's end."""
        self._slot_set.add_builtin(NOTIFIER_SPEC)

    def flush(self, *, complete: bool) -> None:
        """Send what the link takes; ``complete`` says that the daemon knows by now what holds."""
        if self._child is not None and self._child.link.open:
            self._queue.flush(self._child.link, complete=complete)

    def _license(self, slot: LiveSlot, child: Child) -> None:
        if slot.spec is NOTIFIER_SPEC:
            child.terms["life"] = self._life

    def _licensed(self, slot: LiveSlot) -> None:
        if slot.spec is NOTIFIER_SPEC:
            self._child = slot.child
            self._queue.begin_anew()

    def _heard(self, child: Child, message: Message) -> None:
        """Take a message; only the notifier's own child may send these."""
        if child is not self._child:
            return
        match message:
            case AlertsKept():
                self._queue.acknowledge(message.sequence)
            case AlertsUnsent():
                self.unsent = message.count

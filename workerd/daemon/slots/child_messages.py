"""Messages of children, turned into facts about their slots; those that only the ledger sends are passed on."""

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.records import RecordQueue
from workerd.daemon.processes.births import Births
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.facts import Fact
from workerd.wire.messages import BecameReady, Failed, Loaded, Message, RecycleAsked, Refused
from workerd.wire.reasons import Reason
from workerd.wire.words import Outcome

from .lifecycle import Lifecycle
from .slot import LiveSlot, slot_of


class ChildMessages:
    """Takes every message of every licensed child."""

    def __init__(self, log: EventLog, records: RecordQueue, lifecycle: Lifecycle, births: Births[LiveSlot]) -> None:
        self._log = log
        self._records = records
        self._lifecycle = lifecycle
        self.on_other: Listeners[[Child, Message]] = Listeners()
        """Told of the messages that are not about the life of a slot."""
        births.on_message.add(self.receive)

    def receive(self, child: Child, message: Message) -> None:
        """Act on a message; that of a child which is no slot's any more means nothing."""
        slot = slot_of(child)
        if slot is None:
            return
        match message:
            case Loaded():
                child.loaded = True
                self._loaded(slot)
            case BecameReady():
                self._lifecycle.apply(slot, Fact.BECAME_READY)
            case Refused():
                child.refusal = Reason(message.reason, message.public)
            case Failed():
                child.failed = message
            case RecycleAsked() if slot.is_running:
                self.recycle(slot, "the job asked to be replaced")
            case _:
                self.on_other(child, message)

    def recycle(self, slot: LiveSlot, reason: str) -> None:
        """Have a running child replaced gracefully, which is no failure."""
        assert slot.child is not None
        slot.child.set_verdict(Outcome.RECYCLED, reason)
        self._log.emit("child.recycled", **slot.identity, reason=reason)
        self._lifecycle.apply(slot, Fact.DEADLINE_PASSED)

    def _loaded(self, slot: LiveSlot) -> None:
        slot.sound = True
        if slot.problem:
            slot.problem = ""
            self._records.add("problem", slot.spec.name, {"problem": ""})
        self._lifecycle.apply(slot, Fact.LOADED)

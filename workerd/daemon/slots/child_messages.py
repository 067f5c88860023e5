"""What children say, as facts for their slots; what the ledger says goes to whoever listens to it."""

from collections.abc import Callable

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.records import RecordQueue
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.facts import Fact
from workerd.wire.messages import BecameReady, Failed, Loaded, Message, RecycleAsked, Refused
from workerd.wire.words import Outcome, State

from .lifecycle import Lifecycle
from .pacing import Pacing
from .slot import LiveSlot


class ChildMessages:
    """Takes every message of every licensed child; ``on_other`` gets those that are not about a slot's life."""

    def __init__(
        self,
        log: EventLog,
        records: RecordQueue,
        lifecycle: Lifecycle,
        pacing: Pacing,
        on_other: Callable[[Child, Message], None],
    ) -> None:
        self._log = log
        self._records = records
        self._lifecycle = lifecycle
        self._pacing = pacing
        self._on_other = on_other

    def receive(self, child: Child, message: Message) -> None:
        """Act on a message; from a child that is no slot's any more it means nothing."""
        slot = child.slot
        if slot is None or slot.child is not child:
            return
        match message:
            case Loaded():
                child.loaded = True
                self._loaded(slot)
            case BecameReady():
                self._lifecycle.tell(slot, Fact.BECAME_READY)
            case Refused():
                child.refusal = message.reason
            case Failed():
                child.failed = message
            case RecycleAsked() if slot.state is State.RUNNING:
                self.recycle(slot, "the job asked for it")
            case _:
                self._on_other(child, message)

    def recycle(self, slot: LiveSlot, reason: str) -> None:
        """Have a running child replaced gracefully; that is no failure of it."""
        assert slot.child is not None
        slot.child.set_verdict(Outcome.RECYCLED, reason)
        self._log.emit("child.recycled", **slot.identity, reason=reason)
        self._lifecycle.tell(slot, Fact.DEADLINE_PASSED)

    def _loaded(self, slot: LiveSlot) -> None:
        self._pacing.leave(slot)
        if slot.problem:
            slot.problem = ""
            self._records.add("problem", slot.spec.name, {"problem": ""})
        self._lifecycle.tell(slot, Fact.LOADED)

"""The ledger as the daemon knows it: a slot of its own that says which jobs there are and takes the records."""

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.records import RecordQueue
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.dues import Remembered
from workerd.daemon.slots.child_messages import ChildMessages
from workerd.daemon.slots.due_calendar import Calendar
from workerd.daemon.slots.effects import Effects
from workerd.daemon.slots.lifecycle import Lifecycle
from workerd.daemon.slots.rollout import LEDGER_NAME
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.slot_set import SlotSet
from workerd.wire.messages import (
    Acknowledged,
    DatabaseConnected,
    DatabaseLost,
    DatabaseRecovered,
    Drain,
    Drained,
    JobChanged,
    JobRefused,
    JobRemoved,
    JobsListed,
    Message,
    NodeDisplaced,
    NodeRegistered,
    OperationTaken,
    PushFound,
    Sampled,
    SlotsRemembered,
    VersionSeen,
    Waiting,
)
from workerd.wire.reasons import Reason
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome

from .database import Database

LEDGER_SPEC = JobSpec(
    name=LEDGER_NAME,
    target=LEDGER_NAME,
    backoff_max=5.0,
    start_grace=0.1,
    heartbeat_timeout=30.0,
    stop_timeout=2.0,  # short, as what a ledger has acknowledged is in its journal
)


class Ledger:
    """Turns what the ledger says into slots, orders and the database's state; gives it the records."""

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        log: EventLog,
        records: RecordQueue,
        lifecycle: Lifecycle,
        slot_set: SlotSet,
        effects: Effects,
        messages: ChildMessages,
        database: Database,
        calendar: Calendar,
    ) -> None:
        self._log = log
        self._records = records
        self._lifecycle = lifecycle
        self._slot_set = slot_set
        self._database = database
        self._calendar = calendar
        self._child: Child | None = None
        self._draining = False
        self._told_to_drain: Child | None = None
        self._seen: set[str] = set()
        self._counts = [0, 0, 0]
        self._complete = False
        self.slot: LiveSlot
        """Made by ``start``."""
        self.listed = False
        """Whether a ledger has told every job once."""
        self.push: bool | None = None
        self.waiting = 0
        """How many records are in the journal that the database has not taken yet, as of the last second."""
        self.set_aside = 0
        """Records in the journal that the database has refused."""
        self.on_started: Listeners[[]] = Listeners()
        """Told of each ledger that has its licence."""
        self.on_passed_over: Listeners[[]] = Listeners()
        """Told when all rows are to be written anew, because earlier ones had larger versions."""
        self.on_heard: Listeners[[]] = Listeners()
        """Told after each message."""
        self.on_drained: Listeners[[]] = Listeners()
        """Told when a ledger has written down everything, as it was asked to at the end."""
        self.on_registration: Listeners[[NodeRegistered | NodeDisplaced]] = Listeners()
        """Told whose the node's row is."""
        self.on_operation: Listeners[[OperationTaken]] = Listeners()
        """Told of an operator's order that stood in the database."""
        effects.on_licensed.add(self._licensed)
        lifecycle.on_changed.add(self._changed)
        messages.on_other.add(self._heard)

    def has_told(self) -> bool:
        """Return whether this ledger has judged every job, or its database is out, so that no verdict is on its way."""
        return self._complete or self._database.reachable is False

    def start(self) -> None:
        """Have a ledger, from now to the daemon's end."""
        self.slot = self._slot_set.add_builtin(LEDGER_SPEC)

    def flush(self) -> None:
        """Send what the link takes of the records; after the last one, if asked to, the order to drain."""
        child = self._child
        if child is None or not child.link.open:
            return
        self._records.flush(child.link)
        if self._draining and self._records.all_sent and self._told_to_drain is not child:
            self._told_to_drain = child
            child.link.send(Drain())

    def offer(self, sampled: Sampled) -> bool:
        """Send samples, unless there is no ledger, or records still wait in its link: these come first."""
        child = self._child
        if child is None or not child.link.open or child.link.waiting:
            return False
        child.link.send(sampled)
        return True

    def drain(self) -> bool:
        """Have the ledger write down everything and end; return False where there is none to ask."""
        self._draining = True
        self.flush()
        return self._child is not None and self._child.link.open

    def _licensed(self, slot: LiveSlot) -> None:
        """Give a new ledger all records that none has acknowledged; it will tell every job anew."""
        if slot.spec is not LEDGER_SPEC:
            return
        self._child = slot.child
        self.waiting = self.set_aside = 0
        self._seen.clear()
        self._complete = False
        self._records.send_again()
        self._slot_set.note_all()
        self.on_started()

    def _changed(self, slot: LiveSlot) -> None:
        if slot.spec is not LEDGER_SPEC:
            return
        if slot.child is not None and slot.child.verdict is Outcome.HUNG:
            limit = LEDGER_SPEC.heartbeat_timeout
            reason = f"the ledger waits for more than {limit:g} s, most likely for its database, and is replaced"
            self._database.lose(Reason(reason))
        elif slot.child is None and slot.reason:
            self._database.forget()

    def _heard(self, child: Child, message: Message) -> None:
        """Take a message; only the ledger's own child may send these."""
        if child is not self._child:
            return
        match message:
            case Acknowledged() | VersionSeen() | Waiting():
                self._hear_of_records(message)
            case PushFound():
                self.push = message.works
            case NodeRegistered() | NodeDisplaced():
                self.on_registration(message)
            case SlotsRemembered() if not self.listed:
                self._take_up(message)
            case JobChanged() | JobRefused() | JobRemoved() | JobsListed():
                self._hear_of_jobs(message)
            case DatabaseConnected() | DatabaseLost() | DatabaseRecovered():
                self._database.receive(message)
            case OperationTaken():
                self.on_operation(message)
            case Drained():
                self.on_drained()
        self.on_heard()

    def _hear_of_records(self, message: Acknowledged | VersionSeen | Waiting) -> None:
        match message:
            case Acknowledged():
                self._records.acknowledge(message.sequence)
            case VersionSeen():
                self._pass_over(message)
            case Waiting():
                self.waiting, self.set_aside = message.records, message.set_aside

    def _take_up(self, message: SlotsRemembered) -> None:
        for job_id, index, *earlier in message.slots:
            self._calendar.remember(job_id, index, Remembered(*earlier))

    def _pass_over(self, found: VersionSeen) -> None:
        """Have every row written anew where an earlier life, of a clock that was ahead, has left larger versions."""
        if self._records.pass_over(found.version, found.where):
            self._slot_set.note_all()
            self.on_passed_over()

    def _hear_of_jobs(self, message: JobChanged | JobRefused | JobRemoved | JobsListed) -> None:
        match message:
            case JobChanged():
                self._apply(message.spec, misfit=message.misfit)
            case JobRefused():
                self._apply(message.spec, problem=message.problem)
            case JobRemoved():
                self._remove(message.name)
            case JobsListed():
                self._finish_list()

    def _apply(self, values: dict[str, object], *, problem: str = "", misfit: str = "") -> None:
        spec = JobSpec.from_dict(values)
        self._seen.add(spec.name)
        known = self._slot_set.specs.get(spec.name)
        told = self._lifecycle.problems.get(spec.name, ""), self._slot_set.misfits.get(spec.name, "")
        if known == spec and told == (problem, misfit):
            return
        self._counts[0 if known is None else 1] += 1
        self._slot_set.apply(spec.name, spec, problem, misfit)

    def _remove(self, name: str) -> None:
        if name in self._slot_set.specs:
            self._counts[2] += 1
            self._slot_set.apply(name, None)

    def _finish_list(self) -> None:
        """Log what has changed; after a new ledger's first list, drop the jobs that it did not name."""
        if not self._complete:
            self._complete = self.listed = True
            self._calendar.forget_earlier(but={spec.id for spec in self._slot_set.specs.values() if spec.is_fleet})
            for name in set(self._slot_set.specs) - self._seen:
                self._remove(name)
        self._slot_set.become_whole()
        added, changed, removed = self._counts
        if any(self._counts):
            self._log.emit("jobs.changed", added=added, changed=changed, removed=removed)
        self._counts = [0, 0, 0]

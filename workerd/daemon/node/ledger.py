"""The ledger as the daemon knows it: a slot of our own that says which jobs there are and takes the records."""

from collections.abc import Callable

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.records import RecordQueue
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.clock import Clock
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
    OperationTaken,
    PushFound,
    Waiting,
)
from workerd.wire.spec import JobSpec

LEDGER_SPEC = JobSpec(
    name="workerd.ledger",
    target="workerd.ledger",
    backoff_max=5.0,
    start_grace=0.1,
    heartbeat_timeout=30.0,
    stop_timeout=2.0,  # what it has acknowledged is in its journal: one that hangs is not waited for
)


class Ledger:
    """What it has said: the jobs, and how its database is; ``reachable`` is None while nothing is known of that."""

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        log: EventLog,
        clock: Clock,
        records: RecordQueue,
        slot_set: SlotSet,
        on_drained: Callable[[], None],
        on_operation: Callable[[OperationTaken], None],
    ) -> None:
        self._log = log
        self._clock = clock
        self._records = records
        self._slot_set = slot_set
        self._on_drained = on_drained
        self._on_operation = on_operation
        self._child: Child | None = None
        self._draining = False
        self._told_to_drain: Child | None = None
        self._seen: set[str] = set()
        self._counts = [0, 0, 0]
        self._complete = False
        self.listed = False
        self.on_recovered: Callable[[], None] = lambda: None
        self._lost_at = 0.0
        self.reachable: bool | None = None
        self.push: bool | None = None
        self.waiting = 0
        """Records in the journal that the database has not taken yet, as of the last second."""
        self.trouble = ""
        self.vendor = ""

    def begun(self, child: Child) -> None:
        """A ledger has its licence: it gets all that none has acknowledged, and will tell every job anew."""
        self._child = child
        self.waiting = 0
        self._seen.clear()
        self._complete = False
        self._records.send_again()
        self._slot_set.note_all()

    def hung(self) -> None:
        """It has not given a sign of life in time: what holds it is its database, or its disk."""
        limit = LEDGER_SPEC.heartbeat_timeout
        self._lose(f"the ledger waits for more than {limit:g} s, most likely for its database, and is replaced")

    def missing(self) -> None:
        """There is none for a while: that the database is there may not be true any more."""
        if self.reachable:
            self.reachable = None

    def flush(self) -> None:
        """Send it what it takes of the records; behind the last one, once asked to, that it is to drain."""
        child = self._child
        if child is None or not child.link.open:
            return
        self._records.flush(child.link)
        if self._draining and self._records.all_sent and self._told_to_drain is not child:
            self._told_to_drain = child
            child.link.send(Drain())

    def drain(self) -> bool:
        """Have it write down everything and end; False where there is none to ask."""
        self._draining = True
        self.flush()
        return self._child is not None and self._child.link.open

    def heard(self, child: Child, message: Message) -> None:
        """Take a message; only the ledger's own child may send these."""
        if child is not self._child:
            return
        match message:
            case Acknowledged() | PushFound() | Waiting():
                self._note(message)
            case JobChanged() | JobRefused():
                self._job(message)
            case JobRemoved():
                self._remove(message.name)
            case JobsListed():
                self._list()
            case DatabaseConnected() | DatabaseLost() | DatabaseRecovered():
                self._database(message)
            case OperationTaken():
                self._on_operation(message)
            case Drained():
                self._on_drained()

    def _note(self, message: Acknowledged | PushFound | Waiting) -> None:
        match message:
            case Acknowledged():
                self._records.acknowledge(message.sequence)
            case PushFound():
                self.push = message.works
            case Waiting():
                self.waiting = message.records

    def _job(self, message: JobChanged | JobRefused) -> None:
        spec = JobSpec.from_dict(message.spec)
        self._seen.add(spec.name)
        known = self._slot_set.specs.get(spec.name)
        problem = message.problem if isinstance(message, JobRefused) else ""
        if known == spec and self._slot_set.lifecycle.problems.get(spec.name, "") == problem:
            return
        self._counts[0 if known is None else 1] += 1
        self._slot_set.apply(spec.name, spec, problem)

    def _remove(self, name: str) -> None:
        if name in self._slot_set.specs:
            self._counts[2] += 1
            self._slot_set.apply(name, None)

    def _list(self) -> None:
        if not self._complete:
            self._complete = self.listed = True
            for name in set(self._slot_set.specs) - self._seen:
                self._remove(name)
        added, changed, removed = self._counts
        if any(self._counts):
            self._log.emit("jobs.changed", added=added, changed=changed, removed=removed)
        self._counts = [0, 0, 0]

    def _database(self, message: DatabaseConnected | DatabaseLost | DatabaseRecovered) -> None:
        match message:
            case DatabaseLost():
                self._lose(message.reason)
            case DatabaseConnected():
                self._log.emit("ledger.connected", vendor=message.vendor, version=message.version)
                self.vendor = message.vendor
                if self.reachable is None:
                    self.reachable = True
            case DatabaseRecovered() if self.reachable is False:
                outage_s = round(self._clock.monotonic() - self._lost_at, 3)
                self._log.emit("ledger.recovered", outage_s=outage_s, caught_up=message.caught_up)
                self.reachable, self.trouble = True, ""
                self.on_recovered()

    def _lose(self, reason: str) -> None:
        """An outage is said once, whichever ledger sees it and however many are killed in it."""
        if self.reachable is not False:
            self._lost_at = self._clock.monotonic()
            self._log.emit("ledger.lost", reason=reason)
        self.reachable, self.trouble = False, reason

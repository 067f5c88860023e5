"""The daemon's slots, births and calendar, whole; the forkserver, the kernel, the journal and time are the test's."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from workerd.daemon.processes import signals as signals_module
from workerd.daemon.processes.births import Births
from workerd.daemon.processes.child import Child
from workerd.daemon.processes.earlier import EarlierProcesses
from workerd.daemon.processes.stack_dump import StackDumps
from workerd.daemon.rules.outcome import ExitStatus
from workerd.daemon.slots.child_messages import ChildMessages
from workerd.daemon.slots.due_calendar import Calendar
from workerd.daemon.slots.due_effects import DueEffects
from workerd.daemon.slots.due_records import DueRecords
from workerd.daemon.slots.effects import Effects
from workerd.daemon.slots.exits import Exits
from workerd.daemon.slots.gate import Gate
from workerd.daemon.slots.lifecycle import Lifecycle
from workerd.daemon.slots.pacing import Pacing
from workerd.daemon.slots.places import Places
from workerd.daemon.slots.slot import LiveSlot, slot_of
from workerd.daemon.slots.slot_set import SlotSet
from workerd.wire.schedule import parse
from workerd.wire.words import State

from .births import FakeGenerations, FakeKernel
from .fakes import FakeClock, Recorder, loop_of, recording_log, turn

PLACES = 2
"""How many processes may load at once."""


class FakeJournal:
    """Keeps the newest row of each record; has it at once, unless it ``lags``."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], dict[str, Any] | None] = {}
        self.lags = False
        self.on_safe: Callable[[], None] = lambda: None
        self._unsafe: set[tuple[str, str]] = set()

    def add(self, kind: str, key: str, row: dict[str, Any] | None) -> None:
        self.rows[kind, key] = row
        if self.lags:
            self._unsafe.add((kind, key))

    def is_safe(self, kind: str, key: str) -> bool:
        return (kind, key) not in self._unsafe

    def catch_up(self) -> None:
        """Have everything now, and say so."""
        self.lags = False
        self._unsafe.clear()
        self.on_safe()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [row for (of, _), row in self.rows.items() if of == kind and row is not None]


class FakeAlarm:
    """Rings when the test says that time passes."""

    def __init__(self) -> None:
        self.call: Callable[[], None] = lambda: None
        self.moment: float | None = None

    def set_call(self, call: Callable[[], None]) -> "FakeAlarm":
        self.call = call
        return self

    def arm(self, moment: float | None) -> None:
        self.moment = moment

    def look(self, now: float) -> None:
        if self.moment is not None and self.moment <= now:
            self.call()


class Slots:
    """One life of a daemon, as far as its slots go."""

    def __init__(self, clock: FakeClock | None = None, journal: FakeJournal | None = None) -> None:
        self.clock = clock or FakeClock()
        self.journal = journal or FakeJournal()
        self.loop = loop_of(self.clock)
        log, self.lines = recording_log()
        records: Any = self.journal
        self.generations = FakeGenerations()
        self.server = self.generations.server
        self.kernel = FakeKernel()
        self._patch = patch.object(signals_module, "os", self.kernel)
        self._patch.start()
        self.births: Births[LiveSlot] = Births(self.loop, log, self.generations)  # type: ignore[arg-type]
        self.lifecycle = Lifecycle(self.loop, log)
        self.slot_set = SlotSet(self.loop, records, self.lifecycle)
        self.pacing: Pacing[LiveSlot] = Pacing(PLACES)
        self.gate = Gate(self.loop, log, self.lifecycle, self.slot_set, self.pacing)
        self.stack_dumps = StackDumps(self.loop, log)
        roster: Any = Recorder()
        earlier = EarlierProcesses(self.loop, log, "/nowhere", roster)
        node = ("node", "host")
        self.effects = Effects(
            self.loop,
            log,
            self.lifecycle,
            self.gate,
            Places(1000),
            self.births,
            self.stack_dumps,
            earlier,
            roster,
            node,
        )
        self.messages = ChildMessages(log, records, self.lifecycle, self.births)
        self.exits = Exits(self.loop, log, records, self.lifecycle)
        due_records = DueRecords(log, records, self.slot_set, self.clock, "node@host")
        due_effects = DueEffects(self.lifecycle, self.gate, due_records)
        self.effects.on_licensing.add(due_effects.begin)
        self.effects.hold_back = due_records.hold_back
        self.journal.on_safe = self.effects.try_held_up
        self.alarm = FakeAlarm()
        self.calendar = Calendar(self.loop, log, self.lifecycle, due_records, "node", self.alarm.set_call, parse)

    def close(self) -> None:
        self._patch.stop()
        self.server.close()

    # who there is

    @property
    def slots(self) -> list[LiveSlot]:
        return sorted(self.slot_set.job_slots(), key=lambda slot: (slot.spec.name, slot.index))

    @property
    def awaited(self) -> list[Child]:
        """The children that have not said their pid yet."""
        return list(self.births._expecting)

    @property
    def children(self) -> list[Child]:
        """The children that have a licence and have not ended."""
        return [child for child in self.births.children.values() if slot_of(child) is not None]

    @property
    def running(self) -> list[LiveSlot]:
        return [slot for slot in self.slots if slot.state is State.RUNNING]

    # what happens

    def exit_pid(self, pid: int, end: ExitStatus) -> None:
        """Have the process of this pid end."""
        self.exits.conclude(self.births.forget(pid), end)
        turn(self.loop)

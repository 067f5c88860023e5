"""The story of scheduled rows, over several lives of a daemon, on a clock that the test moves."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.harness.fakes import FakeClock, turn
from tests.harness.slots import FakeJournal, Slots
from workerd.daemon.rules.dues import Remembered
from workerd.daemon.rules.facts import Fact
from workerd.daemon.rules.outcome import ExitStatus
from workerd.daemon.slots.rows import run_row
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.messages import BecameReady, Loaded
from workerd.wire.spec import JobSpec
from workerd.wire.words import Restart, State

ROW = {"target": "shop.jobs.one", "time_zone": "UTC", "restart": Restart.ON_FAILURE, "backoff_initial": 1.0}
BEGIN = "2026-03-02 12:00:00"


def moment(text: str, zone: str = "UTC") -> float:
    """Return the wall seconds of a time as the clocks of ``zone`` show it."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


class Told(NamedTuple):
    """A row of the history: the due moment it is for, when the run began, why, and what came of it."""

    due: str
    late: float
    trigger: str
    outcome: str
    missed: int


class DueStory:
    """Rows, the clock and the journal stay; the daemon may end and begin again."""

    def __init__(self, begin: str = BEGIN) -> None:
        self.clock = FakeClock(wall_now=moment(begin))
        self.journal = FakeJournal()
        self.rows: dict[str, JobSpec] = {}
        self.log: list[dict[str, Any]] = []
        self.births = True
        """Whether processes can be born; those that are load at once."""
        self.life = self._begin_life()

    # the daemon

    def _begin_life(self) -> Slots:
        life = Slots(self.clock, self.journal)
        life.effects.on_licensed.add(self._note_run)
        life.effects.on_ready.add(self._note_run)
        return life

    def _note_run(self, slot: LiveSlot) -> None:
        assert slot.child is not None
        self.journal.add("run", slot.child.run, run_row(slot.child, slot))

    def boot(self, without_database: float = 0.0) -> None:
        """Begin another life of the daemon, which hears what the earlier one has left before it hears of the jobs."""
        self.life = self._begin_life()
        self.clock.advance(without_database)
        for row in self.journal.of("slot"):
            if row["due_rule"]:
                left = Remembered(row["due_rule"], row["settled_until"], row["due"])
                self.life.calendar.remember(row["job_id"], row["index"], left)
        for name, spec in self.rows.items():
            self.life.slot_set.apply(name, spec)
        self.life.slot_set.become_whole()
        self.life.calendar.forget_earlier()
        self.settle()

    def kill(self) -> None:
        """End the daemon as ``kill -9`` does; what it had written stays."""
        self.log += self.life.lines.events
        self.life.close()

    def shut_down(self, end: ExitStatus = ExitStatus(signal=15)) -> None:  # noqa: B008 - frozen
        """End the daemon by its own way: each process that runs is asked to go, and ends like this."""
        self.life.lifecycle.stopping = "the daemon is shutting down: TERM"
        for slot in self.life.slots:
            self.life.lifecycle.want(slot, False, self.life.lifecycle.stopping)
        for slot in self.life.slots:
            if slot.is_alive:
                self.end(slot.spec.name, end)
        self.settle()
        self.kill()

    # rows

    def write(self, name: str = "job", problem: str = "", **values: Any) -> LiveSlot:
        """Write a row, new or edited; return its first slot."""
        known = self.rows.get(name) or JobSpec(name, id=len(self.rows) + 1, **ROW)  # type: ignore[arg-type]
        self.rows[name] = known._replace(**values)
        self.life.slot_set.apply(name, self.rows[name], problem)
        self.life.slot_set.become_whole()
        self.settle()
        return self.slot(name)

    def delete(self, name: str = "job") -> None:
        del self.rows[name]
        self.life.slot_set.apply(name, None)
        self.life.slot_set.become_whole()
        self.settle()

    # what happens

    def slot(self, name: str = "job", index: int = 0) -> LiveSlot:
        return next(slot for slot in self.life.slots if (slot.spec.name, slot.index) == (name, index))

    def end(self, name: str = "job", end: ExitStatus | None = None, index: int = 0) -> None:
        """Have the run of a slot end, well unless another end is given."""
        child = self.slot(name, index).child
        assert child is not None, "nothing runs"
        assert child.pid is not None
        self.life.exit_pid(child.pid, end or ExitStatus(code=0))
        self.settle()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, from one timer or alarm to the next."""
        until = self.clock.now + seconds
        while (now := self.clock.now) < until:
            self.clock.advance(max(0.0, min(until, self._next()) - now))
            if self.clock.now == now:
                self.clock.advance(0.001)
            self.tick()

    def go_to(self, text: str, zone: str = "UTC") -> None:
        """Let time pass until then."""
        self.pass_time(moment(text, zone) - self.clock.wall())

    def sleep(self, seconds: float) -> None:
        """Let time pass in which nothing runs: the machine sleeps."""
        self.clock.advance(seconds)
        self.tick()

    def set_clock(self, seconds: float) -> None:
        """Set the wall clock; the alarm rings, as timerfd does."""
        self.clock.wall_now += seconds
        self.life.alarm.call()
        self.settle()

    def tick(self) -> None:
        self.life.alarm.look(self.clock.wall())
        self.settle()

    def settle(self) -> None:
        """Do all that is to be done now, and write the rows that have changed."""
        for _ in range(6):
            turn(self.life.loop)
            self._help_along()
        self.life.slot_set.write_rows()

    def _help_along(self) -> None:
        life = self.life
        for child in life.awaited if self.births else ():
            life.server.give_birth(child)
            turn(life.loop)
        for child in life.children:
            if not child.loaded:
                life.server.say(child, Loaded())
                life.server.say(child, BecameReady())
                turn(life.loop)

    def _next(self) -> float:
        """Return when the next timer or alarm is due, in monotonic seconds."""
        timers = [timer.due for timer in self.life.loop._timers if timer.call is not None]
        if self.life.alarm.moment is not None:
            timers.append(self.clock.now + self.life.alarm.moment - self.clock.wall())
        return min(timers, default=float("inf"))

    # what is seen

    def order(self, fact: Fact, name: str = "job") -> None:
        self.life.lifecycle.apply(self.slot(name), fact, cause="ordered by ada")
        self.settle()

    @property
    def is_running(self) -> bool:
        return self.slot().state is State.RUNNING

    def history(self, name: str = "job") -> list[Told]:
        """Return the rows of the history, in the order of what they are for."""
        runs = [row for row in self.journal.of("run") if row["job_name"] == name and row["due"] is not None]
        return [
            Told(
                datetime.fromtimestamp(row["due"], ZoneInfo("UTC")).strftime("%d %H:%M:%S"),
                round(row["born"] - row["due"], 1),
                row["trigger"],
                row["outcome"],
                row.get("missed") or 0,
            )
            for row in sorted(runs, key=lambda row: (row["due"], row["born"]))
        ]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in [*self.log, *self.life.lines.events] if event["event"] == name]


def no_seats() -> Any:
    """Return what takes the fleet's part of an order, where there is no job of the fleet."""
    return SimpleNamespace(answered_here=set, send=lambda _order, _slots: None, forget=lambda _order: None)

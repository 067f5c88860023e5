"""The watchdog: who is silent too long is found in time, and nobody else is."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.fakes import FakeClock, loop_of, recording_log, turn
from workerd.daemon.io.listeners import Listeners
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.dues import Due, Dues
from workerd.daemon.rules.facts import Fact
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.watchdog import UNCOUNTED, Watchdog
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome, State, Trigger


class Lifecycle:
    """Keeps what it is told; a slot that is told its deadline passed goes on to STOPPING, as the table says."""

    def __init__(self) -> None:
        self.told: list[tuple[LiveSlot, Fact, bool]] = []
        self.on_changed: Listeners[[LiveSlot]] = Listeners()

    def apply(self, slot: LiveSlot, fact: Fact, *, hung: bool = False) -> None:
        self.told.append((slot, fact, hung))
        slot.state = State.STOPPING


class Setup:
    """One running slot, beats at moments of a clock that only the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **spec: Any) -> None:
        self.clock = FakeClock(now=1000.0)
        monkeypatch.setattr("workerd.wire.page._monotonic", lambda: self.clock.now)
        self.memory = 100.0
        monkeypatch.setattr("workerd.daemon.processes.memory.private_mib", lambda _pid: self.memory)
        self.loop = loop_of(self.clock)
        log, self.lines = recording_log()
        self.lifecycle = Lifecycle()
        self.recycled: list[str] = []
        self.slot = LiveSlot(JobSpec("feed", **spec), 0, state=State.RUNNING)
        self.child = Child.conceive(self.loop, log, 1, lambda *_: None, lambda *_: None)
        channel, self.writing, errors, page = self.child.theirs
        for descriptor in (channel, errors, page):
            os.close(descriptor)
        self.slot.child, self.child.owner = self.child, self.slot
        self.child.pid, self.child.licensed_at, self.child.ready_at = 2**22 + 1, self.clock.now, self.clock.now
        self.child.growth.private_at_birth = 100.0
        self.obstacle = ""
        slots = lambda: iter([self.slot])  # noqa: E731
        self.watch = Watchdog(self.loop, log, self.lifecycle, slots, self._recycle, lambda: self.obstacle)  # type: ignore[arg-type]
        self.watch.wake(self.slot)

    def _recycle(self, slot: LiveSlot, reason: str) -> None:
        self.recycled.append(reason)
        slot.state = State.STOPPING

    def live(self, seconds: float, beat_every: float | None = None, step: float = 0.05) -> None:
        """Let time pass in small steps, with a beat every so often."""
        until, next_beat = self.clock.now + seconds, self.clock.now
        while self.clock.now < until - 1e-9:
            if beat_every is not None and self.clock.now >= next_beat - 1e-9:
                self.child.page.beat()
                next_beat += beat_every
            self.clock.advance(step)
            turn(self.loop)

    @property
    def timers(self) -> int:
        return sum(timer.call is not None for timer in self.loop._timers)

    @property
    def found(self) -> list[tuple[Fact, bool]]:
        return [(fact, hung) for _, fact, hung in self.lifecycle.told]


@pytest.fixture
def setup_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made: list[Setup] = []

    def make(**spec: Any) -> Setup:
        made.append(Setup(monkeypatch, **spec))
        return made[-1]

    yield make
    for setup in made:
        setup.child.bury()
        os.close(setup.writing)


HUNG = [(Fact.DEADLINE_PASSED, True)]


def test_a_child_that_beats_in_time_is_let_be(setup_of: Any) -> None:
    setup = setup_of(heartbeat_timeout=2.0)
    setup.live(30, beat_every=1.5)

    assert setup.found == []


@pytest.mark.parametrize("limit", [0.2, 0.5, 1.0, 2.5, 7.3])
def test_a_silent_child_is_found_right_after_its_time(setup_of: Any, limit: float) -> None:
    setup = setup_of(heartbeat_timeout=limit)
    setup.live(3, beat_every=0.1)
    setup.live(limit - 0.15)
    early = list(setup.found)
    setup.live(0.2)

    assert (early, setup.found) == ([], HUNG)
    assert setup.child.verdict is Outcome.HUNG


def test_the_event_says_how_long_and_what_it_was_doing(setup_of: Any) -> None:
    setup = setup_of(heartbeat_timeout=2.0)
    setup.child.page.write_note("order 7")
    setup.live(3)
    (event,) = setup.lines.of("child.hung")

    assert (event["timeout_s"], event["note"]) == (2.0, "order 7")
    assert 2.0 <= event["silent_s"] < 2.2


@pytest.mark.parametrize("limit", [0.3, 0.5, 1.0, 1.5])
def test_a_short_limit_costs_no_more_with_time(setup_of: Any, limit: float) -> None:
    """Each look makes at most one appointment before the next; they must not pile up."""
    setup = setup_of(heartbeat_timeout=limit)
    setup.live(60, beat_every=limit / 2)

    assert setup.found == []
    assert setup.timers <= 2


def test_whatever_comes_through_the_pipe_is_a_sign_of_life_of_the_group(setup_of: Any) -> None:
    setup = setup_of(heartbeat_timeout=2.0, heartbeat="group")
    for _ in range(10):
        os.write(setup.writing, b"still here\n")
        setup.live(1)

    assert setup.found == []


@pytest.mark.parametrize(("heartbeat", "is_named"), [("any", True), ("explicit", False)])
def test_it_is_none_of_the_child_itself(setup_of: Any, heartbeat: str, is_named: bool) -> None:
    """What the child prints is a beat on its page as well; the rest is other processes', or another program's."""
    setup = setup_of(heartbeat_timeout=2.0, heartbeat=heartbeat)
    for _ in range(5):
        os.write(setup.writing, b"still here\n")
        setup.live(0.5)

    assert setup.found == HUNG
    assert setup.child.verdict_reason == "no sign of life for 2 s" + f", {UNCOUNTED}" * is_named


def test_a_child_whose_last_words_are_long_past_is_just_silent(setup_of: Any) -> None:
    setup = setup_of(heartbeat_timeout=2.0)
    setup.child.page.beat()
    os.write(setup.writing, b"the last\n")
    setup.live(2.5)

    assert setup.child.verdict_reason == "no sign of life for 2 s"


def test_its_own_allowance_stands_instead_of_the_limit(setup_of: Any) -> None:
    setup = setup_of(heartbeat_timeout=2.0)
    setup.child.page.beat()
    setup.child.page.allow(10)
    setup.live(9.5)
    early = list(setup.found)
    setup.live(1)

    assert (early, setup.found) == ([], HUNG)


def test_a_changed_limit_acts_at_once(setup_of: Any) -> None:
    setup = setup_of(heartbeat_timeout=60.0)
    setup.live(5)
    setup.slot.spec = JobSpec("feed", heartbeat_timeout=3.0)
    setup.live(1)

    assert setup.found == HUNG


def test_silence_from_before_its_limit_was_set_does_not_count(setup_of: Any) -> None:
    setup = setup_of()
    setup.live(100)
    setup.slot.spec, setup.slot.limit_since = JobSpec("feed", heartbeat_timeout=3.0), setup.clock.now
    setup.watch.wake(setup.slot)
    setup.live(2.8)
    early = list(setup.found)
    setup.live(0.3)

    assert (early, setup.found) == ([], HUNG)
    assert setup.lines.of("child.hung")[0]["silent_s"] == pytest.approx(103, abs=0.2)


@pytest.mark.parametrize("limit", [3.0, 5.5])
def test_after_a_stall_of_our_own_nobody_is_judged_for_as_long(setup_of: Any, limit: float) -> None:
    """The whole tree may have been frozen; the child needs its time to beat again."""
    setup = setup_of(heartbeat_timeout=limit)
    setup.live(limit - 0.4)  # an appointment for the end of its time stands by now
    setup.clock.advance(20)
    turn(setup.loop)
    at_once = list(setup.found)
    setup.live(limit - 0.2)
    pardoned = list(setup.found)
    setup.live(0.5)

    assert (at_once, pardoned, setup.found) == ([], [], HUNG)


def test_a_stall_between_its_becoming_ready_and_the_first_look_pardons(setup_of: Any) -> None:
    """Both happen in one turn of the loop, and the stall may fall between them."""
    setup = setup_of(heartbeat_timeout=1.5)
    setup.loop.call_soon(lambda: setup.clock.advance(4))
    setup.watch.wake(setup.slot)
    turn(setup.loop)
    at_once = list(setup.found)
    setup.live(1.4)
    pardoned = list(setup.found)
    setup.live(0.3)

    assert (at_once, pardoned, setup.found) == ([], [], HUNG)


def test_a_short_stall_pardons_for_a_short_time(setup_of: Any) -> None:
    setup = setup_of(heartbeat_timeout=60.0)
    setup.live(10)
    setup.clock.advance(3)
    turn(setup.loop)
    setup.live(46.8)
    early = list(setup.found)
    setup.live(0.5)

    assert (early, setup.found) == ([], HUNG)


def test_without_a_limit_nobody_is_looked_at(setup_of: Any) -> None:
    setup = setup_of()
    setup.live(5)

    assert (setup.found, setup.timers) == ([], 0)


def test_memory_above_the_limit_is_a_graceful_end(setup_of: Any) -> None:
    setup = setup_of(max_memory=50.0)
    setup.live(2)
    setup.memory = 155.0
    setup.live(12)

    assert setup.found == [(Fact.DEADLINE_PASSED, False)]
    assert setup.child.verdict is Outcome.OVER_MEMORY
    assert setup.child.verdict_reason == "its own memory grew by 55 MiB, over its limit of 50 MiB"
    assert setup.lines.of("child.over_memory")[0]["memory_mib"] == 55.0
    assert not setup.child.killed


def test_memory_that_cannot_be_known_is_said_once_for_the_job(setup_of: Any) -> None:
    setup = setup_of(max_memory=50.0)
    setup.memory = None
    setup.live(45)

    assert setup.found == []
    [said] = setup.lines.of("child.memory_unknown")
    assert said["limit_mib"] == 50.0
    assert setup.child.growth.peak is None


def test_only_growth_since_birth_counts(setup_of: Any) -> None:
    setup = setup_of(max_memory=50.0)
    setup.memory = 149.0
    setup.live(30)

    assert setup.found == []
    assert setup.child.growth.peak == 49.0


def test_near_its_limit_memory_is_looked_at_every_second(setup_of: Any) -> None:
    setup = setup_of(max_memory=50.0)
    setup.memory = 145.0
    setup.live(11)
    setup.memory = 151.0
    setup.live(1.2)

    assert setup.found == [(Fact.DEADLINE_PASSED, False)]


def test_while_nobody_can_be_born_a_limit_passed_a_little_ends_nobody(setup_of: Any) -> None:
    """Until then; far above its limit a leak is ended all the same."""
    setup = setup_of(max_memory=50.0, max_age=60.0)
    setup.obstacle = "the code does not load"
    setup.memory = 155.0
    setup.live(80)
    spared = (setup.found, setup.recycled)
    setup.obstacle = ""
    setup.live(2)

    assert spared == ([], [])
    assert setup.child.verdict is Outcome.OVER_MEMORY


def test_far_above_the_limit_it_is_killed_at_once(setup_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, _number: killed.append(pid))
    setup = setup_of(max_memory=50.0)
    setup.memory = 170.0
    setup.live(2)

    assert killed == [setup.child.pid]
    assert setup.child.killed


def test_age_recycles_within_a_tenth_of_its_limit(setup_of: Any) -> None:
    setup = setup_of(max_age=100.0)
    setup.live(89, step=0.5)
    early = list(setup.recycled)
    setup.live(23, step=0.5)

    assert (early, len(setup.recycled)) == ([], 1)


def test_one_that_is_not_running_is_not_judged(setup_of: Any) -> None:
    setup = setup_of(heartbeat_timeout=1.0)
    setup.slot.state = State.STOPPING
    setup.live(5)

    assert setup.found == []


def test_a_short_limit_holds_from_the_moment_it_is_set(setup_of: Any) -> None:
    """Not from the next common look, which may be a second away."""
    setup = setup_of(heartbeat_timeout=60.0)
    setup.live(2.4)

    setup.slot.spec = JobSpec("feed", heartbeat_timeout=2.5)
    setup.watch.wake(setup.slot)
    setup.live(0.15)

    assert setup.found == HUNG


# scheduled runs


def scheduled(setup: Setup) -> None:
    """Have the slot run for a due moment."""
    due = Due.at(setup.clock.wall(), Trigger.SCHEDULE)
    setup.slot.dues = Dues(taken=due, begun=True)
    setup.watch.wake(setup.slot)


@pytest.mark.parametrize("limit", [0.25, 1.0, 7.5, 100.0])
def test_a_scheduled_run_is_ended_at_exactly_its_age(setup_of: Any, limit: float) -> None:
    setup = setup_of(schedule="@daily", max_age=limit)
    setup.obstacle = "the project's code is being loaded"  # its successor comes with its time, not now
    scheduled(setup)
    setup.live(limit - 0.1)
    assert setup.found == []
    setup.live(0.2)

    assert setup.found == HUNG  # so that its stack is taken first
    assert setup.recycled == []
    assert setup.child.verdict is Outcome.OVERTIME
    [told] = setup.lines.of("job.overtime")
    assert told["limit_s"] == limit


def test_overtime_says_what_the_job_was_at(setup_of: Any) -> None:
    setup = setup_of(schedule="@daily", max_age=2.0)
    setup.child.page.write_note("order 7 of 9")
    scheduled(setup)
    setup.live(2.1)

    [told] = setup.lines.of("job.overtime")
    assert told["note"] == "order 7 of 9"
    assert "its longest run" in setup.child.verdict_reason


def test_a_scheduled_run_without_a_limit_may_take_its_time(setup_of: Any) -> None:
    setup = setup_of(schedule="@daily")
    scheduled(setup)
    setup.live(300, step=1.0)

    assert setup.found == []

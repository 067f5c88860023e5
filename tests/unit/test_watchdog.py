"""The watchdog: who is silent too long is found in time, and nobody else is."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.fakes import FakeClock, loop_of, recording_log, turn
from workerd.daemon.io.listeners import Listeners
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.facts import Fact
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.watchdog import Watchdog
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome, State


class Lifecycle:
    """Keeps what it is told; a slot that is told its deadline passed goes on to STOPPING, as the table says."""

    def __init__(self) -> None:
        self.told: list[tuple[LiveSlot, Fact, bool]] = []
        self.on_changed: Listeners[[LiveSlot]] = Listeners()

    def apply(self, slot: LiveSlot, fact: Fact, *, hung: bool = False) -> None:
        self.told.append((slot, fact, hung))
        slot.state = State.STOPPING


class Scene:
    """One running slot, beats at moments of a clock that only the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **spec: Any) -> None:
        self.clock = FakeClock(now=1000.0)
        monkeypatch.setattr("workerd.wire.page._monotonic_ns", lambda: int(self.clock.now * 1e9))
        self.memory = 100.0
        monkeypatch.setattr("workerd.daemon.processes.memory.private_mib", lambda _pid: self.memory)
        self.loop = loop_of(self.clock)
        log, self.lines = recording_log()
        self.lifecycle = Lifecycle()
        self.recycled: list[str] = []
        self.slot = LiveSlot(JobSpec("feed", **spec), 0, state=State.RUNNING)
        self.child = Child.conceive(self.loop, log, 1, lambda *_: None, lambda *_: None)
        channel, self.writing, page = self.child.theirs
        os.close(channel)
        os.close(page)
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
def scene_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made: list[Scene] = []

    def make(**spec: Any) -> Scene:
        made.append(Scene(monkeypatch, **spec))
        return made[-1]

    yield make
    for scene in made:
        scene.child.bury()
        os.close(scene.writing)


HUNG = [(Fact.DEADLINE_PASSED, True)]


def test_a_child_that_beats_in_time_is_let_be(scene_of: Any) -> None:
    scene = scene_of(heartbeat_timeout=2.0)
    scene.live(30, beat_every=1.5)

    assert scene.found == []


@pytest.mark.parametrize("limit", [0.2, 0.5, 1.0, 2.5, 7.3])
def test_a_silent_child_is_found_right_after_its_time(scene_of: Any, limit: float) -> None:
    scene = scene_of(heartbeat_timeout=limit)
    scene.live(3, beat_every=0.1)
    scene.live(limit - 0.15)
    early = list(scene.found)
    scene.live(0.2)

    assert (early, scene.found) == ([], HUNG)
    assert scene.child.verdict is Outcome.HUNG


def test_the_event_says_how_long_and_what_it_was_doing(scene_of: Any) -> None:
    scene = scene_of(heartbeat_timeout=2.0)
    scene.child.page.write_note("order 7")
    scene.live(3)
    (event,) = scene.lines.of("child.hung")

    assert (event["timeout_s"], event["note"]) == (2.0, "order 7")
    assert 2.0 <= event["silent_s"] < 2.2


@pytest.mark.parametrize("limit", [0.3, 0.5, 1.0, 1.5])
def test_a_short_limit_costs_no_more_with_time(scene_of: Any, limit: float) -> None:
    """Each look makes at most one appointment before the next; they must not pile up."""
    scene = scene_of(heartbeat_timeout=limit)
    scene.live(60, beat_every=limit / 2)

    assert scene.found == []
    assert scene.timers <= 2


def test_a_line_of_output_is_a_sign_of_life(scene_of: Any) -> None:
    scene = scene_of(heartbeat_timeout=2.0)
    for _ in range(10):
        os.write(scene.writing, b"still here\n")
        scene.live(1)

    assert scene.found == []


def test_with_explicit_heartbeats_output_is_none(scene_of: Any) -> None:
    scene = scene_of(heartbeat_timeout=2.0, heartbeat="explicit")
    for _ in range(4):
        os.write(scene.writing, b"still here\n")
        scene.live(1)

    assert scene.found == HUNG


def test_its_own_allowance_stands_instead_of_the_limit(scene_of: Any) -> None:
    scene = scene_of(heartbeat_timeout=2.0)
    scene.child.page.beat()
    scene.child.page.allow(10)
    scene.live(9.5)
    early = list(scene.found)
    scene.live(1)

    assert (early, scene.found) == ([], HUNG)


def test_a_changed_limit_acts_at_once(scene_of: Any) -> None:
    scene = scene_of(heartbeat_timeout=60.0)
    scene.live(5)
    scene.slot.spec = JobSpec("feed", heartbeat_timeout=3.0)
    scene.live(1)

    assert scene.found == HUNG


@pytest.mark.parametrize("limit", [3.0, 5.5])
def test_after_a_stall_of_our_own_nobody_is_judged_for_as_long(scene_of: Any, limit: float) -> None:
    """The whole tree may have been frozen; the child needs its time to beat again."""
    scene = scene_of(heartbeat_timeout=limit)
    scene.live(limit - 0.4)  # an appointment for the end of its time stands by now
    scene.clock.advance(20)
    turn(scene.loop)
    at_once = list(scene.found)
    scene.live(limit - 0.2)
    pardoned = list(scene.found)
    scene.live(0.5)

    assert (at_once, pardoned, scene.found) == ([], [], HUNG)


def test_a_short_stall_pardons_for_a_short_time(scene_of: Any) -> None:
    scene = scene_of(heartbeat_timeout=60.0)
    scene.live(10)
    scene.clock.advance(3)
    turn(scene.loop)
    scene.live(46.8)
    early = list(scene.found)
    scene.live(0.5)

    assert (early, scene.found) == ([], HUNG)


def test_without_a_limit_nobody_is_looked_at(scene_of: Any) -> None:
    scene = scene_of()
    scene.live(5)

    assert (scene.found, scene.timers) == ([], 0)


def test_memory_above_the_limit_is_a_graceful_end(scene_of: Any) -> None:
    scene = scene_of(max_memory=50.0)
    scene.live(2)
    scene.memory = 155.0
    scene.live(12)

    assert scene.found == [(Fact.DEADLINE_PASSED, False)]
    assert scene.child.verdict is Outcome.OVER_MEMORY
    assert scene.lines.of("child.over_memory")[0]["memory_mib"] == 55.0
    assert not scene.child.killed


def test_only_growth_since_birth_counts(scene_of: Any) -> None:
    scene = scene_of(max_memory=50.0)
    scene.memory = 149.0
    scene.live(30)

    assert scene.found == []
    assert scene.child.growth.peak == 49.0


def test_near_its_limit_memory_is_looked_at_every_second(scene_of: Any) -> None:
    scene = scene_of(max_memory=50.0)
    scene.memory = 145.0
    scene.live(11)
    scene.memory = 151.0
    scene.live(1.2)

    assert scene.found == [(Fact.DEADLINE_PASSED, False)]


def test_while_nobody_can_be_born_a_limit_passed_a_little_ends_nobody(scene_of: Any) -> None:
    """Until then; far above its limit a leak is ended all the same."""
    scene = scene_of(max_memory=50.0, max_age=60.0)
    scene.obstacle = "the code does not load"
    scene.memory = 155.0
    scene.live(80)
    spared = (scene.found, scene.recycled)
    scene.obstacle = ""
    scene.live(2)

    assert spared == ([], [])
    assert scene.child.verdict is Outcome.OVER_MEMORY


def test_far_above_the_limit_it_is_killed_at_once(scene_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, _number: killed.append(pid))
    scene = scene_of(max_memory=50.0)
    scene.memory = 170.0
    scene.live(2)

    assert killed == [scene.child.pid]
    assert scene.child.killed


def test_age_recycles_within_a_tenth_of_its_limit(scene_of: Any) -> None:
    scene = scene_of(max_age=100.0)
    scene.live(89, step=0.5)
    early = list(scene.recycled)
    scene.live(23, step=0.5)

    assert (early, len(scene.recycled)) == ([], 1)


def test_one_that_is_not_running_is_not_judged(scene_of: Any) -> None:
    scene = scene_of(heartbeat_timeout=1.0)
    scene.slot.state = State.STOPPING
    scene.live(5)

    assert scene.found == []


def test_a_short_limit_holds_from_the_moment_it_is_set(scene_of: Any) -> None:
    """Not from the next common look, which may be a second away."""
    scene = scene_of(heartbeat_timeout=60.0)
    scene.live(2.4)

    scene.slot.spec = JobSpec("feed", heartbeat_timeout=2.5)
    scene.watch.wake(scene.slot)
    scene.live(0.15)

    assert scene.found == HUNG

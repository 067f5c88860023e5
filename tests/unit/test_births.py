"""Births, with a forkserver of the test's: every one has an owner or comes to nothing."""

import os
import resource
from collections.abc import Iterator

import pytest

from tests.harness.births import FakeGenerations
from tests.harness.fakes import FakeClock, loop_of, open_descriptors, recording_log, turn
from workerd.daemon.processes.births import BIRTH_TIMEOUT_S, RETRY_INITIAL_S, RETRY_MAX_S, SPARES, Births
from workerd.daemon.processes.child import Child
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.messages import BecameReady, Born, Message
from workerd.wire.spec import JobSpec


class Scene:
    """Births with what they stand on, and what they told those who listen."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        log, self.lines = recording_log()
        self.generations = FakeGenerations()
        self.server = self.generations.server
        self.failed: list[LiveSlot] = []
        self.born: list[tuple[LiveSlot, Child]] = []
        self.reasons: list[tuple[LiveSlot, str]] = []
        self.heard: list[Message] = []
        self.births: Births[LiveSlot] = Births(self.loop, log, self.generations)  # type: ignore[arg-type]
        self.births.on_born.add(lambda slot, child: self.born.append((slot, child)))
        self.births.on_failed.add(self.failed.append)
        self.births.on_delayed.add(lambda slot, reason: self.reasons.append((slot, reason)))
        self.births.on_message.add(lambda _child, message: self.heard.append(message))

    def say(self, index: int, message: Message) -> None:
        self.server.peers[index].send(message)
        turn(self.loop)

    def hang_up(self, index: int) -> None:
        self.server.peers[index].close()
        turn(self.loop)

    def is_alone(self, index: int) -> bool:
        """Whether the child at the other end reads end-of-file."""
        peer = self.server.peers[index]
        peer.socket.setblocking(False)
        try:
            return peer.receive() == (None, [])
        except BlockingIOError:
            return False


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.server.close()


SLOT = LiveSlot(JobSpec("feed"), 0)
OTHER = LiveSlot(JobSpec("mail"), 0)


def test_a_birth_is_asked_for_and_its_child_given_to_the_slot(scene: Scene) -> None:
    scene.births.bear(SLOT)
    expected = scene.births.expects_births()
    scene.say(0, Born(42))

    assert (expected, scene.births.expects_births()) == (True, False)
    assert scene.born == [(SLOT, scene.server.asked[0])]
    assert scene.births.owns(42)


def test_without_a_forkserver_it_waits_for_one(scene: Scene) -> None:
    scene.generations.current = None
    scene.births.bear(SLOT)
    before = list(scene.server.asked)
    scene.generations.current = scene.server
    scene.births.generation_ready(replaced=False)

    assert (before, len(scene.server.asked)) == ([], 1)


def test_who_waits_for_a_birth_is_told_why_there_is_none(scene: Scene) -> None:
    scene.generations.current = None
    scene.births.bear(SLOT)
    scene.generations.trouble = "SyntaxError: never closed"
    scene.generations.on_trouble()
    scene.generations.current, scene.generations.trouble = scene.server, ""
    scene.generations.on_ready(False)

    said = ["", "no process can be started: SyntaxError: never closed", ""]
    assert scene.reasons == [(SLOT, reason) for reason in said]


def test_a_spare_is_there_at_once(scene: Scene) -> None:
    scene.births.replenish()
    for index in range(SPARES):
        scene.say(index, Born(40 + index))
    scene.births.bear(SLOT)

    assert len(scene.server.asked) == SPARES
    assert scene.born == [(SLOT, scene.server.asked[0])]
    assert scene.born[0][1].was_spare


def test_there_are_never_more_spares_than_are_kept(scene: Scene) -> None:
    """Births whose wish was withdrawn become spares, and one too many ends."""
    for _ in range(SPARES + 3):
        scene.births.bear(SLOT)
        scene.births.withdraw(SLOT)
    for index in range(SPARES + 3):
        scene.say(index, Born(40 + index))

    assert [scene.is_alone(index) for index in range(SPARES + 3)] == [False] * SPARES + [True] * 3
    assert scene.born == []


def test_a_withdrawn_birth_gives_the_slot_no_child(scene: Scene) -> None:
    scene.births.bear(SLOT)
    scene.births.withdraw(SLOT)
    scene.say(0, Born(42))

    assert scene.born == []
    assert scene.births.owns(42)


def test_a_lost_birth_is_told_after_a_while_and_the_while_doubles(scene: Scene) -> None:
    waits = []
    for _ in range(9):
        scene.births.bear(SLOT)
        scene.hang_up(-1)
        waited, failed = 0.0, len(scene.failed)
        while len(scene.failed) == failed:
            scene.clock.advance(0.1)
            waited += 0.1
            turn(scene.loop)
        waits.append(round(waited, 1))

    assert set(scene.failed) == {SLOT}
    assert waits[:3] == [RETRY_INITIAL_S, 2 * RETRY_INITIAL_S, 4 * RETRY_INITIAL_S]
    assert waits[-1] == pytest.approx(RETRY_MAX_S, abs=0.2)


def test_a_refusal_to_fork_is_said_and_tried_again(scene: Scene) -> None:
    scene.births.bear(SLOT)
    scene.generations.on_birth_failed(scene.server.asked[0].birth, "a transaction is open")
    scene.clock.advance(RETRY_INITIAL_S)
    turn(scene.loop)

    assert scene.failed == [SLOT]
    assert scene.lines.of("birth.failed") == [{"reason": "a transaction is open"}]


def test_a_retry_of_a_withdrawn_birth_is_none(scene: Scene) -> None:
    scene.births.bear(SLOT)
    scene.hang_up(0)
    scene.births.withdraw(SLOT)
    scene.clock.advance(60)
    turn(scene.loop)

    assert scene.failed == []


def test_an_overdue_birth_is_given_up_and_the_forkserver_suspected(scene: Scene) -> None:
    scene.births.bear(SLOT)
    scene.clock.advance(BIRTH_TIMEOUT_S)
    turn(scene.loop)

    assert (scene.generations.suspected, scene.births.expects_births()) == (1, False)
    assert scene.is_alone(0)


def test_a_newborn_that_speaks_after_it_was_given_up_is_nobodys(scene: Scene) -> None:
    scene.births.bear(SLOT)
    scene.clock.advance(BIRTH_TIMEOUT_S)
    turn(scene.loop)
    with pytest.raises(BrokenPipeError):
        scene.server.peers[0].send(Born(42))
    turn(scene.loop)

    assert (scene.born, scene.births.owns(42)) == ([], False)


def test_a_child_that_says_born_twice_is_born_once(scene: Scene) -> None:
    scene.births.bear(SLOT)
    scene.say(0, Born(42))
    scene.say(0, Born(43))

    assert len(scene.born) == 1
    assert not scene.births.owns(43)


def test_what_a_child_says_beside_goes_on(scene: Scene) -> None:
    scene.births.bear(SLOT)
    scene.say(0, Born(42))
    scene.say(0, BecameReady())

    assert scene.heard == [BecameReady()]


def test_a_spare_that_ends_is_no_spare(scene: Scene) -> None:
    scene.births.replenish()
    scene.say(0, Born(40))
    scene.say(1, Born(41))
    scene.hang_up(0)
    scene.births.forget(40)
    scene.births.bear(SLOT)

    assert scene.born == [(SLOT, scene.server.asked[1])]


def test_a_new_generation_bears_again_what_the_old_one_had_not_born(scene: Scene) -> None:
    scene.births.replenish()
    scene.say(0, Born(40))
    scene.births.bear(OTHER)
    scene.births.bear(SLOT)
    asked = len(scene.server.asked)
    scene.births.generation_ready(replaced=True)

    assert len(scene.server.asked) == asked + 1
    assert scene.is_alone(asked - 1)


def test_after_closing_nothing_is_born(scene: Scene) -> None:
    scene.births.replenish()
    scene.say(0, Born(40))
    scene.births.close()
    scene.births.replenish()

    assert [scene.is_alone(0), scene.is_alone(1)] == [True, True]
    assert len(scene.server.asked) == SPARES


@pytest.mark.parametrize("short_by", range(1, 8))
def test_where_descriptors_run_out_none_leaks_and_the_birth_is_tried_again(scene: Scene, short_by: int) -> None:
    before = open_descriptors()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [os.dup(0) for _ in range(short_by)]
    for descriptor in free:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[-1], limits[1]))
    try:
        scene.births.bear(SLOT)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert open_descriptors() <= before
    assert "out of file descriptors" in scene.lines.of("birth.failed")[0]["reason"]
    scene.clock.advance(RETRY_INITIAL_S)
    turn(scene.loop)
    assert scene.failed == [SLOT]

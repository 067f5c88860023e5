"""Births, with a forkserver of the test's: every one has an owner or comes to nothing."""

import os
import resource
from collections.abc import Iterator

import pytest

from tests.harness.births import PROGRAM_PID, FakeGenerations, FakeProgram
from tests.harness.fakes import FakeClock, loop_of, open_descriptors, recording_log, turn
from workerd.daemon.processes.births import BIRTH_TIMEOUT_S, RESERVE, RETRY_INITIAL_S, RETRY_MAX_S, SPARES, Births
from workerd.daemon.processes.child import Child
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.messages import BecameReady, Born, Message
from workerd.wire.spec import JobSpec


class Setup:
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
def setup() -> Iterator[Setup]:
    setup = Setup()
    yield setup
    setup.server.close()


SLOT = LiveSlot(JobSpec("feed"), 0)
OTHER = LiveSlot(JobSpec("mail"), 0)


def test_a_birth_is_asked_for_and_its_child_given_to_the_slot(setup: Setup) -> None:
    setup.births.bear(SLOT)
    expected = setup.births.open_births() is not None
    setup.say(0, Born(42))

    assert (expected, setup.births.open_births() is not None) == (True, False)
    assert setup.born == [(SLOT, setup.server.asked[0])]
    assert setup.births.owns(42)
    assert setup.server.spares == 0


def test_without_a_forkserver_it_waits_for_one(setup: Setup) -> None:
    setup.generations.current = None
    setup.births.bear(SLOT)
    before = list(setup.server.asked)
    setup.generations.current = setup.server
    setup.births.generation_ready(replaced=False)

    assert (before, len(setup.server.asked)) == ([], 1)


def test_who_waits_for_a_birth_is_told_why_there_is_none(setup: Setup) -> None:
    setup.generations.current = None
    setup.births.bear(SLOT)
    setup.generations.trouble = "SyntaxError: never closed"
    setup.generations.on_trouble()
    setup.generations.current, setup.generations.trouble = setup.server, ""
    setup.generations.on_ready(False)

    expected = [
        "waiting for a process: the project's code is being loaded",
        "no process can be started: SyntaxError: never closed",
        "",
    ]
    assert setup.reasons == [(SLOT, reason) for reason in expected]


def test_a_spare_is_there_at_once(setup: Setup) -> None:
    setup.births.replenish()
    for index in range(SPARES):
        setup.say(index, Born(40 + index))
    setup.births.bear(SLOT)

    assert len(setup.server.asked) == setup.server.spares == SPARES
    assert setup.born == [(SLOT, setup.server.asked[0])]
    assert setup.born[0][1].was_spare


def test_there_are_never_more_spares_than_are_kept(setup: Setup) -> None:
    """Births whose wish was withdrawn become spares, and one too many ends."""
    for _ in range(SPARES + 3):
        setup.births.bear(SLOT)
        setup.births.withdraw(SLOT)
    for index in range(SPARES + 3):
        setup.say(index, Born(40 + index))

    assert [setup.is_alone(index) for index in range(SPARES + 3)] == [False] * SPARES + [True] * 3
    assert setup.born == []


def test_a_withdrawn_birth_gives_the_slot_no_child(setup: Setup) -> None:
    setup.births.bear(SLOT)
    setup.births.withdraw(SLOT)
    setup.say(0, Born(42))

    assert setup.born == []
    assert setup.births.owns(42)


def test_a_lost_birth_is_told_after_a_while_and_the_while_doubles(setup: Setup) -> None:
    waits = []
    for _ in range(9):
        setup.births.bear(SLOT)
        setup.hang_up(-1)
        waited, failed = 0.0, len(setup.failed)
        while len(setup.failed) == failed:
            setup.clock.advance(0.1)
            waited += 0.1
            turn(setup.loop)
        waits.append(round(waited, 1))

    assert set(setup.failed) == {SLOT}
    assert waits[:3] == [RETRY_INITIAL_S, 2 * RETRY_INITIAL_S, 4 * RETRY_INITIAL_S]
    assert waits[-1] == pytest.approx(RETRY_MAX_S, abs=0.2)


def test_a_refusal_to_fork_is_said_and_tried_again(setup: Setup) -> None:
    setup.births.bear(SLOT)
    setup.generations.on_birth_failed(setup.server.asked[0].birth, "a transaction is open")
    setup.clock.advance(RETRY_INITIAL_S)
    turn(setup.loop)

    assert setup.failed == [SLOT]
    assert setup.reasons == [(SLOT, "waiting for a process: a transaction is open")]
    assert setup.lines.of("birth.failed") == [{"reason": "a transaction is open"}]


def test_a_retry_of_a_withdrawn_birth_is_none(setup: Setup) -> None:
    setup.births.bear(SLOT)
    setup.hang_up(0)
    setup.births.withdraw(SLOT)
    setup.clock.advance(60)
    turn(setup.loop)

    assert setup.failed == []


def test_an_overdue_birth_is_given_up_and_the_forkserver_suspected(setup: Setup) -> None:
    setup.births.bear(SLOT)
    setup.clock.advance(BIRTH_TIMEOUT_S)
    turn(setup.loop)

    assert (setup.generations.suspected, setup.births.open_births() is not None) == (1, False)
    assert setup.is_alone(0)


def test_a_newborn_that_speaks_after_it_was_given_up_is_nobodys(setup: Setup) -> None:
    setup.births.bear(SLOT)
    setup.clock.advance(BIRTH_TIMEOUT_S)
    turn(setup.loop)
    with pytest.raises(BrokenPipeError):
        setup.server.peers[0].send(Born(42))
    turn(setup.loop)

    assert (setup.born, setup.births.owns(42)) == ([], False)


def test_a_child_that_says_born_twice_is_born_once(setup: Setup) -> None:
    setup.births.bear(SLOT)
    setup.say(0, Born(42))
    setup.say(0, Born(43))

    assert len(setup.born) == 1
    assert not setup.births.owns(43)


def test_what_a_child_says_beside_goes_on(setup: Setup) -> None:
    setup.births.bear(SLOT)
    setup.say(0, Born(42))
    setup.say(0, BecameReady())

    assert setup.heard == [BecameReady()]


def test_a_spare_that_ends_is_no_spare(setup: Setup) -> None:
    setup.births.replenish()
    setup.say(0, Born(40))
    setup.say(1, Born(41))
    setup.hang_up(0)
    setup.births.forget(40)
    setup.births.bear(SLOT)

    assert setup.born == [(SLOT, setup.server.asked[1])]


def test_a_new_generation_bears_again_what_the_old_one_had_not_born(setup: Setup) -> None:
    setup.births.replenish()
    setup.say(0, Born(40))
    setup.births.bear(OTHER)
    setup.births.bear(SLOT)
    asked = len(setup.server.asked)
    setup.births.generation_ready(replaced=True)

    assert len(setup.server.asked) == asked + 1
    assert setup.is_alone(asked - 1)


def test_after_closing_nothing_is_born(setup: Setup) -> None:
    setup.births.replenish()
    setup.say(0, Born(40))
    setup.births.close()
    setup.births.replenish()

    assert [setup.is_alone(0), setup.is_alone(1)] == [True, True]
    assert len(setup.server.asked) == SPARES


def test_the_last_descriptors_are_the_daemons_own(setup: Setup) -> None:
    """However many jobs want a process, a forkserver, a ledger and an operator still find some."""
    own = LiveSlot(JobSpec("workerd.ledger"), 0, builtin=True)
    setup.births._is_vital = lambda slot: slot.builtin
    highest = max(map(int, open_descriptors()))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(8 * RESERVE, highest + RESERVE), limits[1]))
    taken = []
    while (number := os.dup(0)) < max(8 * RESERVE, highest + RESERVE) - RESERVE:
        taken.append(number)
    os.close(number)
    try:
        setup.births.bear(SLOT)
        for_jobs = len(setup.server.asked)
        setup.births.bear(own)
        for_itself = len(setup.server.asked)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for number in taken:
            os.close(number)

    assert (for_jobs, for_itself) == (0, 1)
    [(slot, reason)] = setup.reasons
    assert slot is SLOT
    assert reason.startswith("waiting for a process: the daemon is out of file descriptors: ")


@pytest.mark.parametrize("short_by", range(1, 8))
def test_where_descriptors_run_out_none_leaks_and_the_birth_is_tried_again(setup: Setup, short_by: int) -> None:
    before = open_descriptors()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [os.dup(0) for _ in range(short_by)]
    for descriptor in free:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[-1], limits[1]))
    try:
        setup.births.bear(SLOT)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert open_descriptors() <= before
    assert "out of file descriptors" in setup.lines.of("birth.failed")[0]["reason"]
    setup.clock.advance(RETRY_INITIAL_S)
    turn(setup.loop)
    assert setup.failed == [SLOT]


def test_a_program_is_born_without_a_forkserver_and_its_pid_is_known_at_once(setup: Setup) -> None:
    program = FakeProgram()
    setup.generations.current = None
    setup.births._program_of = lambda _: program  # type: ignore[assignment, return-value]
    setup.births.bear(SLOT)
    [(slot, child)] = setup.born
    [(run, channel)] = program.started

    assert (slot, child.run, child.identity) == (SLOT, run, {"pid": PROGRAM_PID})
    assert setup.births.owns(PROGRAM_PID)
    assert setup.births.open_births() is None
    assert setup.births.living_runs() >= {run}
    setup.births.forget(PROGRAM_PID).bury()
    assert channel.receive() == (None, [])
    program.close()


def test_a_program_that_the_kernel_refuses_is_tried_again_and_leaves_nothing_open(setup: Setup) -> None:
    before = open_descriptors()
    setup.births._program_of = lambda _: FakeProgram(BlockingIOError(11, "no more"))  # type: ignore[assignment, return-value]
    setup.births.bear(SLOT)
    setup.clock.advance(RETRY_INITIAL_S)
    turn(setup.loop)

    assert (setup.born, setup.failed) == ([], [SLOT])
    assert open_descriptors() <= before
    assert "its fork: [Errno 11] no more" in setup.lines.of("birth.failed")[0]["reason"]

"""The stacks of a child that hangs: asked for where it does no harm, waited for no longer than a second."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.harness.fakes import FakeClock, loop_of, recording_log, turn
from workerd.daemon.processes.child import Child
from workerd.daemon.processes.stack_dump import PATIENCE_S, QUIET_S, Condition, StackDumps
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.messages import DUMP_SIGNAL
from workerd.wire.spec import JobSpec


class Setup:
    """A hung child, with a real process for its pid, and a clock that only the test moves."""

    def __init__(self, be_the_child: Callable[[int], None]) -> None:
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        self.log, self.lines = recording_log()
        self.done: list[str] = []
        self.slot = LiveSlot(JobSpec("feed"), 0)
        self.child = Child.conceive(self.loop, self.log, 1, lambda *_: None, lambda *_: None)
        channel, self.writing, errors, page = self.child.theirs
        for descriptor in (channel, errors, page):
            os.close(descriptor)
        self.child.owner, self.slot.child = self.slot, self.child
        self.child.own(_start(be_the_child, self.writing))
        self.dumps = StackDumps(self.loop, self.log)

    def dump(self) -> None:
        self.dumps.take(self.child, self.done.append)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        turn(self.loop)

    def close(self) -> None:
        assert self.child.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self.child.pid, signal.SIGKILL)
            os.waitpid(self.child.pid, 0)
        self.child.bury()
        os.close(self.writing)


def _start(be_the_child: Callable[[int], None], writing: int) -> int:
    reading, ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        os.set_blocking(writing, True)
        be_the_child(writing)
        os.write(ready, b"1")
        while True:
            signal.sigtimedwait((), 0.05)  # pause() would miss a handler whose signal came just before it
    os.read(reading, 1)
    os.close(reading)
    os.close(ready)
    return pid


def _answers(writing: int) -> None:
    signal.signal(DUMP_SIGNAL, lambda *_: os.write(writing, b"Thread 1:\n  in ship\n"))


def _is_deaf(_: int) -> None:
    signal.signal(DUMP_SIGNAL, signal.SIG_DFL)


def _says_nothing(_: int) -> None:
    signal.signal(DUMP_SIGNAL, lambda *_: None)


@pytest.fixture
def setups() -> Iterator[Callable[[Callable[[int], None]], Setup]]:
    made: list[Setup] = []

    def make(be_the_child: Callable[[int], None]) -> Setup:
        made.append(Setup(be_the_child))
        return made[-1]

    yield make
    for setup in made:
        setup.close()


Setups = Callable[[Callable[[int], None]], Setup]


def wait_for_stack(setup: Setup) -> None:
    """The process answers in its own time; the fake clock stands still meanwhile."""
    import select

    poll = select.poll()
    poll.register(setup.child.output.stdout.descriptor, select.POLLIN)
    assert poll.poll(30_000)
    turn(setup.loop)


def test_its_stack_is_an_event_and_kept_for_the_run(setups: Setups) -> None:
    setup = setups(_answers)
    setup.dump()
    wait_for_stack(setup)
    setup.pass_time(QUIET_S)

    assert setup.done == ["Thread 1:\n  in ship"]
    assert [event["stack"] for event in setup.lines.of("child.stack")] == setup.done


def test_it_is_over_when_nothing_more_has_come_for_a_while(setups: Setups) -> None:
    setup = setups(_answers)
    setup.dump()
    wait_for_stack(setup)
    setup.pass_time(QUIET_S * 0.9)
    os.write(setup.writing, b"Thread 2:\n")
    turn(setup.loop)
    setup.pass_time(QUIET_S * 0.9)
    early = list(setup.done)
    setup.pass_time(QUIET_S * 0.2)

    assert (len(early), len(setup.done)) == (0, 1)
    assert setup.done == ["Thread 1:\n  in ship\nThread 2:"]


def test_a_child_that_prints_on_and_on_does_not_keep_it_from_ending(setups: Setups) -> None:
    """Else one that ignores TERM and prints would never be killed."""
    setup = setups(_answers)
    setup.dump()
    wait_for_stack(setup)
    printed = 0
    while not setup.done and printed < 1000:
        os.write(setup.writing, b"still here\n")
        turn(setup.loop)
        setup.pass_time(QUIET_S / 2)
        printed += 1

    assert printed <= PATIENCE_S / (QUIET_S / 2) + 2


def test_one_that_says_nothing_is_given_up_after_a_second(setups: Setups) -> None:
    setup = setups(_says_nothing)
    setup.dump()
    setup.pass_time(PATIENCE_S * 0.99)
    early = list(setup.done)
    setup.pass_time(PATIENCE_S * 0.02)

    assert (len(early), len(setup.done)) == (0, 1)
    assert setup.done == ["no stack, because it wrote none within 1 s"]


@pytest.mark.parametrize(("loaded", "reason"), [(True, "does not catch the dump signal"), (False, "has not begun")])
def test_one_that_does_not_catch_the_signal_is_not_sent_it(setups: Setups, loaded: bool, reason: str) -> None:
    setup = setups(_is_deaf)
    setup.child.loaded = loaded
    setup.dump()
    setup.pass_time(0)
    assert setup.child.pid is not None

    assert reason in setup.lines.of("child.stack")[0]["reason"]
    assert setup.done == [setup.lines.of("child.stack")[0]["reason"]]
    assert os.waitid(os.P_PID, setup.child.pid, os.WEXITED | os.WNOHANG) is None


def test_one_that_is_stopped_is_continued_after_the_signal(setups: Setups) -> None:
    setup = setups(_answers)
    assert setup.child.pid is not None
    os.kill(setup.child.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, setup.child.pid, os.WSTOPPED)
    setup.dump()
    wait_for_stack(setup)
    setup.pass_time(QUIET_S)

    assert setup.done == ["Thread 1:\n  in ship"]


def test_one_that_has_just_ended_is_not_sent_it(setups: Setups) -> None:
    setup = setups(_answers)
    assert setup.child.pid is not None
    os.kill(setup.child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, setup.child.pid, os.WEXITED | os.WNOWAIT)
    setup.dump()

    assert "it has just ended" in setup.lines.of("child.stack")[0]["reason"]


def test_what_a_dying_child_wrote_of_its_stack_is_told_with_its_end_and_only_then(setups: Setups) -> None:
    """A dump of a broken process may end it."""
    setup = setups(_answers)
    setup.dump()
    wait_for_stack(setup)
    told = setup.child.tell_stack(setup.log)
    setup.child.bury()
    setup.pass_time(PATIENCE_S)

    assert told == "Thread 1:\n  in ship"
    assert (setup.done, len(setup.lines.of("child.stack"))) == ([], 1)


def test_its_condition_is_what_proc_says() -> None:
    signal.signal(DUMP_SIGNAL, lambda *_: None)
    caught = Condition.read(os.getpid())
    signal.signal(DUMP_SIGNAL, signal.SIG_DFL)

    assert caught == Condition("R", caught=True)
    assert Condition.read(os.getpid()) == Condition("R", caught=False)


def test_a_process_that_is_not_there_has_no_condition() -> None:
    with pytest.raises(OSError, match="No such file"):
        Condition.read(2**22 + 1)

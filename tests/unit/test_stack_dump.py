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


class Scene:
    """A hung child, with a real process for its pid, and a clock that only the test moves."""

    def __init__(self, be_the_child: Callable[[int], None]) -> None:
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        self.log, self.lines = recording_log()
        self.done: list[str] = []
        self.slot = LiveSlot(JobSpec("feed"), 0)
        self.child = Child.conceive(self.loop, self.log, 1, lambda *_: None, lambda *_: None)
        channel, self.writing, page = self.child.theirs
        os.close(channel)
        os.close(page)
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
        signal.alarm(10)
        os.set_blocking(writing, True)
        be_the_child(writing)
        os.write(ready, b"1")
        while True:
            signal.pause()
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
def scenes() -> Iterator[Callable[[Callable[[int], None]], Scene]]:
    made: list[Scene] = []

    def make(be_the_child: Callable[[int], None]) -> Scene:
        made.append(Scene(be_the_child))
        return made[-1]

    yield make
    for scene in made:
        scene.close()


Scenes = Callable[[Callable[[int], None]], Scene]


def wait_for_stack(scene: Scene) -> None:
    """The process answers in its own time; the fake clock stands still meanwhile."""
    import select

    poll = select.poll()
    poll.register(scene.child.output._descriptor, select.POLLIN)
    assert poll.poll(5000)
    turn(scene.loop)


def test_its_stack_is_an_event_and_kept_for_the_run(scenes: Scenes) -> None:
    scene = scenes(_answers)
    scene.dump()
    wait_for_stack(scene)
    scene.pass_time(QUIET_S)

    assert scene.done == ["Thread 1:\n  in ship"]
    assert [event["stack"] for event in scene.lines.of("child.stack")] == scene.done


def test_it_is_over_when_nothing_more_has_come_for_a_while(scenes: Scenes) -> None:
    scene = scenes(_answers)
    scene.dump()
    wait_for_stack(scene)
    scene.pass_time(QUIET_S * 0.9)
    os.write(scene.writing, b"Thread 2:\n")
    turn(scene.loop)
    scene.pass_time(QUIET_S * 0.9)
    early = list(scene.done)
    scene.pass_time(QUIET_S * 0.2)

    assert (len(early), len(scene.done)) == (0, 1)
    assert scene.done == ["Thread 1:\n  in ship\nThread 2:"]


def test_a_child_that_prints_on_and_on_does_not_keep_it_from_ending(scenes: Scenes) -> None:
    """Else one that ignores TERM and prints would never be killed."""
    scene = scenes(_answers)
    scene.dump()
    wait_for_stack(scene)
    printed = 0
    while not scene.done and printed < 1000:
        os.write(scene.writing, b"still here\n")
        turn(scene.loop)
        scene.pass_time(QUIET_S / 2)
        printed += 1

    assert printed <= PATIENCE_S / (QUIET_S / 2) + 2


def test_one_that_says_nothing_is_given_up_after_a_second(scenes: Scenes) -> None:
    scene = scenes(_says_nothing)
    scene.dump()
    scene.pass_time(PATIENCE_S * 0.99)
    early = list(scene.done)
    scene.pass_time(PATIENCE_S * 0.02)

    assert (len(early), len(scene.done)) == (0, 1)
    assert scene.done == ["no stack, because it wrote none within 1 s"]


@pytest.mark.parametrize(("loaded", "reason"), [(True, "does not catch the dump signal"), (False, "has not begun")])
def test_one_that_does_not_catch_the_signal_is_not_sent_it(scenes: Scenes, loaded: bool, reason: str) -> None:
    scene = scenes(_is_deaf)
    scene.child.loaded = loaded
    scene.dump()
    scene.pass_time(0)
    assert scene.child.pid is not None

    assert reason in scene.lines.of("child.stack")[0]["reason"]
    assert scene.done == [scene.lines.of("child.stack")[0]["reason"]]
    assert os.waitid(os.P_PID, scene.child.pid, os.WEXITED | os.WNOHANG) is None


def test_one_that_is_stopped_is_continued_after_the_signal(scenes: Scenes) -> None:
    scene = scenes(_answers)
    assert scene.child.pid is not None
    os.kill(scene.child.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, scene.child.pid, os.WSTOPPED)
    scene.dump()
    wait_for_stack(scene)
    scene.pass_time(QUIET_S)

    assert scene.done == ["Thread 1:\n  in ship"]


def test_one_that_has_just_ended_is_not_sent_it(scenes: Scenes) -> None:
    scene = scenes(_answers)
    assert scene.child.pid is not None
    os.kill(scene.child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, scene.child.pid, os.WEXITED | os.WNOWAIT)
    scene.dump()

    assert "it has just ended" in scene.lines.of("child.stack")[0]["reason"]


def test_what_a_dying_child_wrote_of_its_stack_is_told_with_its_end_and_only_then(scenes: Scenes) -> None:
    """A dump of a broken process may end it."""
    scene = scenes(_answers)
    scene.dump()
    wait_for_stack(scene)
    told = scene.child.tell_stack(scene.log)
    scene.child.bury()
    scene.pass_time(PATIENCE_S)

    assert told == "Thread 1:\n  in ship"
    assert (scene.done, len(scene.lines.of("child.stack"))) == ([], 1)


def test_its_condition_is_what_proc_says() -> None:
    signal.signal(DUMP_SIGNAL, lambda *_: None)
    caught = Condition.read(os.getpid())
    signal.signal(DUMP_SIGNAL, signal.SIG_DFL)

    assert caught == Condition("R", caught=True)
    assert Condition.read(os.getpid()) == Condition("R", caught=False)


def test_a_process_that_is_not_there_has_no_condition() -> None:
    with pytest.raises(OSError, match="No such file"):
        Condition.read(2**22 + 1)

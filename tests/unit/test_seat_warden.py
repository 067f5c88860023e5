"""The warden kills what the daemon has not by its deadline, and nothing else."""

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.harness.waiting import eventually
from workerd.ledger.seats.processes import find_marked, kill_group, kill_marked, run_of, start_of
from workerd.ledger.seats.warden import Warden
from workerd.wire.events import EVENTS
from workerd.wire.lease import boot_time
from workerd.wire.messages import Alive
from workerd.wire.words import RUN_VARIABLE

pytestmark = pytest.mark.backends("any")
SLEEP = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def run() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def start(run: str) -> Iterator[Start]:
    """Return a function that starts a process with the mark, which leads its group."""
    started: list[subprocess.Popen[bytes]] = []

    def start_process(mark: str = run) -> "subprocess.Popen[bytes]":
        env = {**os.environ, RUN_VARIABLE: mark}
        process = subprocess.Popen([sys.executable, "-c", SLEEP], env=env, stdout=subprocess.PIPE, process_group=0)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        return process

    yield start_process
    for process in started:
        process.kill()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def wardens() -> Iterator[Callable[..., Warden]]:
    """Return a function that makes a warden, whose thread has ended when the next test begins."""
    made: list[Warden] = []

    def make(clock: Callable[[], float] = boot_time) -> Warden:
        made.append(Warden(clock))
        return made[-1]

    yield make
    for warden in made:
        warden.hear(Alive(boot_time(), []))
    eventually(lambda: "warden" not in {thread.name for thread in threading.enumerate()}, 30.0, "the end of its thread")


@pytest.fixture
def warden(wardens: Callable[..., Warden]) -> Warden:
    return wardens()


def alive(process: "subprocess.Popen[bytes]", deadline: float | None) -> Alive:
    return Alive(boot_time(), [[1, 0, 7, process.pid, start_of(process.pid), deadline]])


def test_a_process_past_its_deadline_is_killed(start: Start, warden: Warden) -> None:
    process = start()
    warden.hear(alive(process, boot_time() + 0.2))

    assert process.wait(30) == -signal.SIGKILL


def test_a_kill_is_said_once(start: Start, warden: Warden, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr("workerd.ledger.seats.warden.emit", lambda name, **fields: said.append((name, fields)))
    process = start()
    warden.hear(alive(process, boot_time()))
    process.wait(30)
    eventually(lambda: bool(said), 30.0, "an event")
    [(name, fields)] = said

    assert name == "seat.ended_by_ledger"
    assert (fields["child_pid"], fields["token"]) == (process.pid, 7)
    assert set(fields) == set(EVENTS[name].fields)


def test_a_process_whose_deadline_moves_on_is_let_be(start: Start, wardens: Callable[..., Warden]) -> None:
    clock = [100.0]
    warden, process = wardens(lambda: clock[0]), start()
    for now in range(100, 130):
        clock[0] = float(now)
        warden.hear(alive(process, now + 1.5))

    assert process.poll() is None
    warden.hear(Alive(clock[0], []))


def test_a_process_without_a_deadline_is_let_be(start: Start, warden: Warden) -> None:
    process, overdue = start(), start(str(uuid.uuid4()))
    seats = [*alive(process, None).seats, *alive(overdue, boot_time()).seats]
    warden.hear(Alive(boot_time(), seats))
    overdue.wait(30)

    assert process.poll() is None


def test_what_left_the_group_and_carries_the_mark_is_killed_too(start: Start, warden: Warden) -> None:
    leader, stray = start(), start()
    warden.hear(alive(leader, boot_time()))

    assert (leader.wait(30), stray.wait(30)) == (-signal.SIGKILL, -signal.SIGKILL)


def test_a_mark_that_a_process_takes_on_later_is_read_then(
    start: Start, wardens: Callable[..., Warden], run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was just born has its forkserver's mark, and the daemon may name it only once."""
    clock, read, taken_on = [100.0], set[str](), threading.Event()

    def read_mark(pid: int, started: int) -> str:
        mark = run_of(pid, started) if taken_on.is_set() else ""
        read.add(mark)
        return mark

    monkeypatch.setattr("workerd.ledger.seats.warden.run_of", read_mark)
    warden, leader, stray = wardens(lambda: clock[0]), start(), start()
    warden.hear(alive(leader, 101.0))
    assert read == {""}
    taken_on.set()
    eventually(lambda: run in read, 30.0, "a second reading")
    clock[0] = 102.0

    assert (leader.wait(30), stray.wait(30)) == (-signal.SIGKILL, -signal.SIGKILL)


def test_a_mark_outlives_its_process(start: Start, warden: Warden) -> None:
    """The process has ended, so its mark can be read no more; what it started is still to be killed."""
    leader, stray = start(), start()
    said = alive(leader, boot_time() + 600.0)
    warden.hear(said)
    leader.kill()
    eventually(lambda: start_of(leader.pid) is None, 30.0, "its end")
    said.seats[0][5] = boot_time()
    warden.hear(said)

    assert stray.wait(30) == -signal.SIGKILL


def test_a_process_that_carries_no_mark_is_killed_alone(
    start: Start, warden: Warden, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every process without a mark has the same, none: it is not to be looked for."""
    monkeypatch.setattr("workerd.ledger.seats.warden.run_of", lambda *_: "")
    monkeypatch.setattr("workerd.ledger.seats.warden.find_marked", sought := Mock(return_value=()))
    said: list[dict[str, object]] = []
    monkeypatch.setattr("workerd.ledger.seats.warden.emit", lambda _name, **fields: said.append(fields))
    leader = start("")
    warden.hear(alive(leader, boot_time()))
    leader.wait(30)
    eventually(lambda: bool(said), 30.0, "an event")

    sought.assert_not_called()
    assert said[0]["others"] == 0


def test_the_event_counts_what_was_killed_beside_the_process(
    start: Start, warden: Warden, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[dict[str, object]] = []
    monkeypatch.setattr("workerd.ledger.seats.warden.emit", lambda _name, **fields: said.append(fields))
    leader, *strays = start(), start(), start()
    warden.hear(alive(leader, boot_time()))
    for process in (leader, *strays):
        process.wait(30)
    eventually(lambda: bool(said), 30.0, "an event")

    assert said[0]["others"] == 2


def test_a_pid_that_is_another_processs_by_now_is_let_be(start: Start) -> None:
    process = start()
    started = start_of(process.pid)
    assert started is not None

    assert kill_group(process.pid, started + 1) is False
    assert process.poll() is None


def test_a_mark_that_is_another_runs_is_let_be(start: Start, run: str) -> None:
    process = start(str(uuid.uuid4()))

    assert list(find_marked(run)) == []
    assert kill_marked(process.pid, run) is False
    assert process.poll() is None


def test_the_mark_of_a_forkserver_is_no_run(start: Start) -> None:
    """A process that was just born still has it: whoever carries it is not to be killed for one seat."""
    process = start(f"forkserver-{uuid.uuid4()}")
    started = start_of(process.pid)
    assert started is not None

    assert run_of(process.pid, started) == ""


def test_an_ended_process_has_no_start(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"], cwd=tmp_path)
    eventually(lambda: start_of(process.pid) is None, 30.0, "its end")
    process.wait(30)

    assert start_of(process.pid) is None

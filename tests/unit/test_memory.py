"""A child's memory: what it has of its own beyond its birth, at each look and at its peak."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from workerd.daemon.processes.memory import MemoryGrowth, private_mib, resident_mib

TAKES_MEMORY = (
    "import sys; sys.stdin.readline(); kept = b'x' * (40 << 20); print('taken', flush=True); sys.stdin.read()"
)


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    """A process that takes 40 MiB once a line was written to it."""
    with subprocess.Popen(
        [sys.executable, "-c", TAKES_MEMORY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def take(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    process.stdout.readline()


def test_growth_is_what_came_after_the_birth(process: "subprocess.Popen[str]") -> None:
    growth = MemoryGrowth()
    growth.set_baseline(process.pid)
    take(process)

    grown = growth.look(process.pid)
    assert grown is not None
    assert 35 < grown < 60
    assert growth.seen == growth.peak


SHARES = (
    "import mmap, os, signal, sys; sys.stdin.readline(); m = mmap.mmap(-1, 40 << 20)\n"
    "for at in range(0, 40 << 20, 4096): m[at] = 1\n"
    "for _ in range(3):\n"
    "  if os.fork() == 0:\n"
    "    for at in range(0, 40 << 20, 4096): m[at] = 2\n"
    "    print('taken', flush=True); signal.pause(); os._exit(0)\n"
    "signal.pause()"
)


def test_memory_that_a_child_shares_with_its_helpers_counts_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SHARES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
    ) as process:
        growth = MemoryGrowth()
        growth.set_baseline(process.pid)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        for _ in range(3):
            process.stdout.readline()
        grown = growth.look(process.pid)
        os.killpg(process.pid, signal.SIGKILL)

    assert grown is not None
    assert 35 < grown < 75


def test_the_peak_stays_when_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter((10.0, 30.0, 15.0))
    monkeypatch.setattr("workerd.daemon.processes.memory.private_mib", lambda _pid: next(values))
    monkeypatch.setattr("workerd.daemon.processes.memory.helpers_mib", lambda _pid, _own: 0.0)
    growth = MemoryGrowth(private_at_birth=5.0)
    seen = [growth.look(1) for _ in range(3)]

    assert (seen, growth.peak) == ([5.0, 25.0, 10.0], 25.0)


def test_less_than_at_the_birth_is_no_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workerd.daemon.processes.memory.private_mib", lambda _pid: 3.0)
    monkeypatch.setattr("workerd.daemon.processes.memory.helpers_mib", lambda _pid, _own: 0.0)

    assert MemoryGrowth(private_at_birth=5.0).look(1) == 0.0


def test_the_kernels_word_on_the_peak_counts_what_no_look_has_seen() -> None:
    growth = MemoryGrowth(peak=20.0, resident_at_birth=50.0, private_at_birth=40.0)
    growth.end(peak_rss=120.0)

    assert growth.peak == 70.0


def test_a_spare_that_was_never_measured_has_no_peak() -> None:
    growth = MemoryGrowth()
    growth.end(peak_rss=120.0)

    assert growth.peak is None


@pytest.mark.parametrize("reaped", [True, False])
def test_a_process_that_has_ended_has_none(reaped: bool) -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | (0 if reaped else os.WNOWAIT))

        assert (private_mib(process.pid), resident_mib(process.pid)) == (None, None)


@pytest.mark.parametrize("hidden", ["at its birth", "at a look"])
def test_what_proc_does_not_show_is_not_known_and_is_not_nothing(
    monkeypatch: pytest.MonkeyPatch, process: "subprocess.Popen[str]", hidden: str
) -> None:
    """As with hidepid, or where the child runs as another user."""

    def refuse(_: str) -> str:
        raise PermissionError(13, "Permission denied")

    growth = MemoryGrowth()
    if hidden == "at a look":
        growth.set_baseline(process.pid)
    monkeypatch.setattr("workerd.daemon.processes.memory._read", refuse)
    if hidden == "at its birth":
        growth.set_baseline(process.pid)
        growth.end(peak_rss=120.0)

    assert growth.look(process.pid) is None
    assert (growth.seen, growth.peak) == (None, None)


def test_a_run_that_was_never_seen_to_grow_has_no_peak_of_nothing() -> None:
    growth = MemoryGrowth(resident_at_birth=50.0)
    growth.end(peak_rss=50.0)

    assert growth.peak is None


HELPER = "import sys; kept = b'x' * (40 << 20); print('taken', flush=True); sys.stdin.read()"


def test_what_a_helper_process_takes_counts() -> None:
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HELPER!r}])"
    assert 35 < grown_by(script) < 70


def test_what_a_forked_helper_shares_counts_once() -> None:
    """Else a job of 40 MiB with four forks has 200."""
    forks = "import os; kept = b'x' * (40 << 20); os.fork(); os.fork()"
    script = f"{forks}; import sys; print('taken', flush=True); sys.stdin.read()"
    assert 35 < grown_by(script, lines=4) < 60


def grown_by(script: str, lines: int = 1) -> float:
    """Return how much a program is seen to have beyond a bare interpreter."""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        grown = MemoryGrowth(private_at_birth=5.0).look(process.pid)
        process.communicate("")
    assert grown is not None
    return grown

"""What one process uses, as samples see it: real processes, whose figures are known."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.harness.fakes import FakeClock, open_descriptors
from workerd.daemon.processes.memory import MemoryGrowth
from workerd.daemon.processes.usage import Usage, count_descriptors
from workerd.wire.samples import Sample

SERVE = "import sys\nfor line in sys.stdin:\n    exec(line, globals())\n    print('done', flush=True)\n"
BURN = r"exec('end = time.process_time() + 0.5\nwhile time.process_time() < end: pass')"
NO_PROCESS = 2**22 + 1


class Process:
    """A process that does what it is told, and its samples."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.clock = FakeClock()
        self.growth, self.usage = MemoryGrowth(), Usage()
        self.do("import threading, time, os")
        self.growth.set_baseline(process.pid)
        self.usage.begin(self.clock.monotonic())

    def do(self, line: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def sample(self, *, is_judged: bool = False) -> Sample:
        self.clock.advance(10)
        found = self.usage.sample(self.process.pid, self.growth, self.clock, None, is_judged=is_judged)
        assert found is not None
        return found


@pytest.fixture
def process() -> Iterator[Process]:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", SERVE], stdin=pipe, stdout=pipe, text=True) as process:
        yield Process(process)
        process.kill()


def test_memory_that_it_takes_is_seen(process: Process) -> None:
    process.sample()
    process.do("kept = b'x' * (40 << 20)")
    memory = process.sample().memory

    assert memory is not None
    assert 38 * 1024 < memory < 48 * 1024
    assert process.growth.peak == process.growth.seen


def test_memory_that_it_gives_back_is_seen(process: Process) -> None:
    process.do("kept = b'x' * (40 << 20)")
    process.sample()
    process.do("del kept")
    memory = process.sample().memory

    assert memory is not None
    assert memory < 8 * 1024


def test_who_has_done_nothing_is_not_read_again(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = process.sample(), process.sample()  # its last line may have been on its way at the first
    monkeypatch.setattr(MemoryGrowth, "look_alone", _never)
    third = process.sample()

    assert first.memory is not None
    assert third.memory == second.memory


def _never(*_: object) -> None:
    pytest.fail("its memory was read, although it had no fault")


def test_where_the_watchdog_looks_its_figure_counts(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    process.growth.seen = 17.0
    monkeypatch.setattr(MemoryGrowth, "look_alone", _never)
    process.do("kept = b'x' * (40 << 20)")

    assert process.sample(is_judged=True).memory == 17 * 1024


def test_processor_time_is_a_share_since_the_sample_before(process: Process) -> None:
    process.sample()
    process.do(BURN)
    busy, idle = process.sample().processor, process.sample().processor

    assert busy is not None
    assert 4 <= busy <= 7, "half a second of ten"
    assert idle == pytest.approx(0, abs=0.2)


def test_descriptors_and_threads_are_counted(process: Process) -> None:
    before = process.sample()
    process.do("kept = [os.open('/dev/null', 0) for _ in range(7)]")
    process.do("threading.Thread(target=time.sleep, args=(60,), daemon=True).start()")
    after = process.sample()

    assert before.descriptors is not None
    assert after.descriptors == before.descriptors + 7
    assert (before.threads, after.threads) == (1, 2)


def test_the_first_sample_of_a_run_says_so(process: Process) -> None:
    assert [process.sample().is_first, process.sample().is_first] == [True, False]


def test_of_a_process_that_has_ended_there_is_none(process: Process) -> None:
    process.process.kill()
    os.waitid(os.P_PID, process.process.pid, os.WEXITED | os.WNOWAIT)

    assert process.usage.sample(process.process.pid, process.growth, process.clock, None, is_judged=False) is None


def test_of_a_process_that_is_hidden_only_its_silence_is_known() -> None:
    found = Usage().sample(NO_PROCESS, MemoryGrowth(), FakeClock(), 4.0, is_judged=False)

    assert found == Sample(1_700_000_000, None, None, 4.0, None, None, is_first=True)
    assert count_descriptors(NO_PROCESS) is None


def test_what_is_kept_open_is_closed_with_the_run_and_says_nothing_of_another_process(process: Process) -> None:
    """The file of a process that is gone can no more be read, whoever has its pid by now."""
    before = open_descriptors()
    process.sample()
    kept = open_descriptors() - before
    process.process.kill()
    process.process.wait()

    assert len(kept) == 1
    after = process.usage.sample(process.process.pid, process.growth, process.clock, None, is_judged=False)
    assert after is None or (after.processor, after.threads, after.descriptors) == (None, None, None)
    process.usage.close()
    assert open_descriptors() - before == set()

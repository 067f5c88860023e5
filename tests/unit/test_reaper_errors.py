"""Reaping with a kernel that may answer any call with any error: what it says of one process keeps no other."""

import errno
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from tests.harness.fakes import FakeClock, turn
from workerd.daemon.io.loop import Loop
from workerd.daemon.processes import reaper as reaper_module
from workerd.daemon.processes.reaper import AGAIN_S, OpenBirths, Reaper
from workerd.daemon.rules.outcome import ExitStatus

ERRORS = [errno.EPERM, errno.ESRCH, errno.ECHILD, errno.EINTR, errno.EINVAL, errno.EIO, errno.ENOMEM, errno.EMFILE]
CALLS = ["any", "peek", "wait", "end_group", "tell", "children"]
PIDS = range(100, 108)


class Kernel:
    """Stands for the module ``os`` in the reaper, and for whom it reaps; some of its calls fail for some pids."""

    def __init__(self) -> None:
        self.ended: dict[int, int] = {}
        """The zombies, by pid, in the order in which the kernel shows them."""
        self.ours: set[int] = set()
        self.births: OpenBirths | None = None
        self.faults: dict[tuple[str, int], int] = {}
        self.told: list[tuple[int, int | None]] = []
        self.errors: list[Exception] = []
        self.clock = FakeClock()
        self.loop = Loop(self.clock, self.errors.append)
        self.reaper = Reaper(self.loop, self, self._tell)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    # what the reaper calls

    def waitid(self, kind: int, number: int, _: int) -> Any:
        self._fail("any" if kind == os.P_ALL else "peek", number)
        found = list(self.ended) if kind == os.P_ALL else [pid for pid in self.ended if pid == number]
        return SimpleNamespace(si_pid=found[0]) if found else None

    def wait4(self, pid: int, _: int) -> Any:
        self._fail("wait", pid)
        return pid, self.ended.pop(pid) << 8, SimpleNamespace(ru_maxrss=0)

    def read_text(self, _: str) -> str:
        self._fail("children", 0)
        return " ".join(map(str, self.ended))

    def owned_pids(self) -> Iterator[int]:
        return iter(self.ours)

    def owns(self, pid: int) -> bool:
        return pid in self.ours

    def open_births(self) -> OpenBirths | None:
        return self.births

    def end_group(self, pid: int) -> None:
        self._fail("end_group", pid)

    def _tell(self, pid: int, end: ExitStatus) -> None:
        self.ours.discard(pid)
        self.told.append((pid, end.code))
        self._fail("tell", pid)

    def _fail(self, call: str, pid: int) -> None:
        if code := self.faults.get((call, pid)):
            raise OSError(code, os.strerror(code))


@given(
    ends=st.permutations(PIDS),
    strangers=st.sets(st.sampled_from(PIDS), max_size=6),
    troubled=st.sets(st.sampled_from(PIDS), max_size=4),
    faults=st.lists(st.tuples(st.sampled_from(CALLS), st.sampled_from(ERRORS)), max_size=8),
    births=st.one_of(st.none(), st.just(OpenBirths(1, 3))),
)
def test_nobody_waits_for_the_trouble_of_another(
    ends: list[int],
    strangers: set[int],
    troubled: set[int],
    faults: list[tuple[str, int]],
    births: OpenBirths | None,
) -> None:
    kernel = Kernel()
    kernel.ours = set(PIDS) - strangers
    kernel.births = births
    for call, code in faults:
        for pid in {0} if call in {"any", "children"} else troubled:
            kernel.faults[call, pid] = code
    kernel.ended = {pid: pid % 7 for pid in ends}
    with patch.object(reaper_module, "os", kernel), patch.object(reaper_module, "read_text", kernel.read_text):
        kernel.reaper.reap()
        at_once = dict(kernel.told)
        kernel.faults.clear()
        kernel.births = None
        kernel.clock.advance(AGAIN_S)
        turn(kernel.loop)
        turn(kernel.loop)

    well = set(PIDS) - strangers - troubled
    assert {pid: pid % 7 for pid in well}.items() <= at_once.items()
    assert sorted(kernel.told) == [(pid, pid % 7) for pid in sorted(set(PIDS) - strangers)]
    assert kernel.ended == {}

"""What a process gets from the one that made it: not what the daemon took for itself alone."""

import resource

import pytest

from tests.harness.chaos import SPARES, children_of, wait_for_calm
from tests.harness.daemon import Daemon
from tests.harness.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
LOW = 512


def test_the_daemon_alone_has_more_descriptors_than_it_was_started_with(project: Project, daemon: Daemon) -> None:
    """It needs some for each child; a job has the soft limit that the operator gave."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = before[1]
    project.add_job("idle")
    resource.setrlimit(resource.RLIMIT_NOFILE, (LOW, hard))
    try:
        daemon.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    wait_for_calm(daemon, 1)

    children = children_of(daemon.pid)

    assert len(children) == len(("forkserver", "ledger", "idle")) + SPARES
    assert _limits(daemon.pid) == (hard, hard) != (LOW, hard)
    assert {child.pid: _limits(child.pid) for child in children} == {child.pid: (LOW, hard) for child in children}


def _limits(pid: int) -> tuple[int, int]:
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)

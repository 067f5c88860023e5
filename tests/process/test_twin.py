"""Two daemons on the same rows: said by both, until one has stopped."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]


@pytest.fixture
def second(project: Project, daemon: Daemon, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with the name and the database of the first, and another STATE_DIR."""
    daemon.start()
    project.state_dir = tmp_path / "another"
    second = Daemon(project)
    try:
        yield second
    finally:
        if second.is_running:
            second.kill()
        project.state_dir = tmp_path / "state"


def test_a_second_daemon_on_the_same_rows_is_said_on_both_sides(
    project: Project, daemon: Daemon, second: Daemon, tmp_path: Path
) -> None:
    second.start()
    first_says = daemon.wait_event("node.shared", within=40)
    second_says = second.wait_event("node.shared", within=40)
    shown = project.manage("workerd", "status").stdout
    second.signal(signal.SIGTERM)
    second.wait()
    daemon.wait_event("node.alone", within=40)
    project.state_dir = tmp_path / "state"

    reasons = first_says["reason"], second_says["reason"]
    assert all("writes the rows of tests@" in reason for reason in reasons)
    assert any(f"(pid {pid})" in reason for reason in reasons for pid in (daemon.pid, second.pid))
    assert "node: another daemon" in shown
    eventually(lambda: not daemon.picture()["daemon"]["twin"], 5)

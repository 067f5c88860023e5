"""The harness itself: what every process test takes for granted."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.backends.backend import Databases
from tests.harness.backends.server import Server
from tests.harness.log import Log
from tests.harness.processes import ProcessTree
from tests.harness.project import Project
from tests.harness.waiting import TooLateError, eventually


def test_a_project_has_a_migrated_database_of_its_own(project: Project) -> None:
    project.add_job("idle")
    project.edit_job("idle", enabled=False)

    assert [(job.name, job.enabled) for job in project.jobs] == [("idle", False)]


def test_a_second_project_starts_empty(project: Project) -> None:
    assert not project.jobs.exists()


def test_the_command_sees_the_test_s_rows(project: Project) -> None:
    project.add_job("seen")
    script = "from workerd.models import Job; print(*Job.objects.values_list('name', flat=True))"

    done = project.manage("shell", "--no-imports", "-c", script)

    assert done.stdout.split() == ["seen"], done.stderr


def test_eventually_says_what_it_waited_for() -> None:
    with pytest.raises(TooLateError, match="the moon did not come within 0 s; last seen: 0"):
        eventually(lambda: 0, within=0, what="the moon")


def test_a_log_is_asked_by_name_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('{"event": "child.born", "slot": "a", "pid": 1}\nTraceback\n{"event": "child.born", "slot": "b"}\n')
    log = Log()
    log.read(path.open())
    log.wait_for_end()

    assert [event["slot"] for event in log.events("child.born")] == ["a", "b"]
    assert log.wait_event("child.born", slot="b", pid=None)["slot"] == "b"
    assert log.wait_event("child.born", pid=lambda pid: pid == 1)["slot"] == "a"
    assert log.foreign_lines == ["Traceback"]
    with pytest.raises(TooLateError):
        log.wait_event("child.exited", within=0)


def test_a_log_tells_each_line_as_soon_as_it_is_written() -> None:
    """Whether or not the thread that reads has had its turn."""
    reading, writing = os.pipe()
    log = Log()
    log.read(os.fdopen(reading))
    for number in range(200):
        os.write(writing, b'{"event": "spoke", "number": %d}\n' % number)

        assert log.events("spoke", number=number), number
    os.close(writing)
    log.wait_for_end()

    assert log.position == 200


def _sleepers(tree: ProcessTree) -> list[int]:
    return [process.pid for process in tree.look() if process.name == "sleep"]


def test_a_tree_finds_processes_by_their_mark(project: Project) -> None:
    tree = ProcessTree(project.mark)
    child = subprocess.Popen(["sleep", "3600"], env=project.env, start_new_session=True)
    try:
        eventually(lambda: _sleepers(tree) == [child.pid], what="the sleeper")
        tree.kill()
        eventually(lambda: [process.is_zombie for process in tree.look(child.pid)] == [True], what="its end")
    finally:
        child.wait()
    tree.assert_gone()


@pytest.mark.backends("postgres", "mysql")
def test_a_server_of_the_test_s_own_survives_a_kill_with_its_data(
    new_server: Callable[[], Server], databases: Databases
) -> None:
    server = new_server()
    own = Databases(databases.backend, server.folder)
    own.server = server
    own.create("kept")
    server.kill()

    server.start()

    listing = "SELECT datname FROM pg_database" if databases.backend.vendor == "postgresql" else "SHOW DATABASES"
    assert "kept" in [name for (name,) in own.execute(listing)]

"""A fault that is cured while the daemon runs ends in RUNNING, and no operator is needed for that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import Databases
from tests.harness.backends.server import Server
from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import BAD_JOBS, Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]
WITHIN_S = 30.0
MODULE = "healed_later"
BROKEN = "raise RuntimeError('not installed on this machine')\n"
SOUND = "import time\n\ndef work():\n    while True:\n        time.sleep(3600)\n"


@contextmanager
def daemon_of(project: Project) -> Iterator[Daemon]:
    """A daemon beside the fixture's, cleaned up."""
    daemon = Daemon(project)
    try:
        yield daemon
    except BaseException:
        print(daemon.report())
        raise
    finally:
        daemon.clean_up()


@pytest.fixture
def own_server(new_server: Callable[[], Server]) -> Server:
    """A server of the test's own, which it may stop."""
    return new_server()


@pytest.fixture
def own_project(
    own_server: Server, databases: Databases, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[Project]:
    """A project on that server, migrated."""
    own = Databases(databases.backend, own_server.folder)
    own.server = own_server
    own.create("cured")
    with django_db_blocker.unblock():
        project = Project(tmp_path, own, "cured")
        done = project.manage("migrate", "--verbosity=0")
        assert done.returncode == 0, done.stderr
        yield project
        project.close()


@pytest.mark.backends("postgres", "mysql")
def test_a_server_that_is_down_at_start_is_waited_for(own_project: Project, own_server: Server) -> None:
    """The daemon says so, is ready, and runs the jobs as soon as the server is there."""
    own_project.add_job("mark-and-stay")
    own_project.disconnect()
    own_server.stop()
    with daemon_of(own_project) as daemon:
        daemon.start()
        assert "does not answer" in daemon.wait_event("ledger.lost")["reason"]
        assert daemon.picture()["daemon"]["database"]["reachable"] is False

        own_server.start()

        daemon.wait_state("mark-and-stay", "RUNNING", WITHIN_S)
        eventually(own_project.marks.exists, WITHIN_S, "the job's mark")
        daemon.stop()


@pytest.mark.backends("sqlite")
def test_a_database_file_that_is_not_there_at_start_is_waited_for(project: Project, daemon: Daemon) -> None:
    """As with a server: its disk may be mounted late."""
    folder = project.folder / "disk"
    project.add_job("idle")
    project.disconnect()
    file = project.databases.path(project.database)
    project.url = f"sqlite:///{folder}/shop.sqlite3"
    daemon.start()
    assert "does not answer" in daemon.wait_event("ledger.lost")["reason"]

    folder.mkdir()
    folder.joinpath("shop.sqlite3").write_bytes(file.read_bytes())

    daemon.wait_state("idle", "RUNNING", WITHIN_S)


def test_a_database_that_is_not_migrated_at_start_is_waited_for(empty_project: Project) -> None:
    """A deploy may migrate second."""
    with daemon_of(empty_project) as daemon:
        daemon.start()
        lost = daemon.wait_event("ledger.lost")
        assert "is not migrated" in lost["reason"]
        assert 'run "manage.py migrate --database default"' in lost["reason"]

        assert empty_project.manage("migrate", "--verbosity=0").returncode == 0
        empty_project.add_job("mark-and-stay")

        daemon.wait_state("mark-and-stay", "RUNNING", WITHIN_S)
        eventually(empty_project.marks.exists, WITHIN_S, "the job's mark")
        eventually(lambda: empty_project.nodes.get().pulse is not None, WITHIN_S, "the pulse")
        daemon.stop()


def test_a_refused_target_is_put_right_by_an_edit(project: Project, daemon: Daemon) -> None:
    """The row says why it is parked, and no longer does once it runs."""
    project.add_job("idle", target="os.system", kwargs={"command": "true"})
    project.add_job("other", "idle")
    daemon.start()
    parked = daemon.wait_state("idle", "PARKED", WITHIN_S)
    other = daemon.wait_state("other", "RUNNING", WITHIN_S)
    eventually(lambda: project.jobs.get(name="idle").problem == parked["reason"], WITHIN_S, "the problem on the row")

    project.edit_job("idle", target=f"{BAD_JOBS}.idle", kwargs={})

    daemon.wait_state("idle", "RUNNING", WITHIN_S)
    eventually(lambda: project.jobs.get(name="idle").problem == "", WITHIN_S, "the problem to go from the row")
    assert daemon.slot("other")["pid"] == other["pid"]


def test_arguments_that_do_not_fit_are_put_right_by_an_edit(project: Project, daemon: Daemon) -> None:
    """That is found by the child alone, which has the signature."""
    project.add_job("mark-and-stay", kwargs={"wrong": 1})
    daemon.start()
    parked = daemon.wait_state("mark-and-stay", "PARKED", WITHIN_S)
    assert "takes no argument “wrong”" in parked["reason"]
    eventually(lambda: project.jobs.get().problem == parked["reason"], WITHIN_S, "the problem on the row")

    project.edit_job("mark-and-stay", kwargs={"text": "right"})

    daemon.wait_state("mark-and-stay", "RUNNING", WITHIN_S)
    eventually(lambda: project.jobs.get().problem == "", WITHIN_S, "the problem to go from the row")


@pytest.mark.backends("any")
def test_a_target_that_does_not_import_is_put_right_by_a_restart(project: Project, daemon: Daemon) -> None:
    write_module(project, MODULE, BROKEN)
    project.settings["TARGETS"] = [f"{MODULE}.*"]
    project.add_job("heals", target=f"{MODULE}.work")
    daemon.start()
    parked = daemon.wait_state("heals", "PARKED", WITHIN_S)
    assert "does not import: RuntimeError: not installed on this machine" in parked["reason"]

    write_module(project, MODULE, SOUND)
    daemon.stop()
    daemon.start()

    daemon.wait_state("heals", "RUNNING", WITHIN_S)


@pytest.mark.backends("any")
def test_a_project_that_does_not_load_is_tried_again(project: Project, daemon: Daemon) -> None:
    """The daemon says where it breaks, and runs the jobs when the code is right: not even a restart is needed."""
    write_module(project, MODULE, BROKEN)
    project.settings["PRELOAD"] = [MODULE]
    project.add_job("idle")
    daemon.start(ready=False)
    rejected = daemon.wait_event("forkserver.rejected", within=WITHIN_S)
    assert rejected["reason"] == "RuntimeError: not installed on this machine"
    assert f'{MODULE}.py", line 1' in rejected["traceback"]

    write_module(project, MODULE, SOUND)

    daemon.wait_state("idle", "RUNNING", WITHIN_S)

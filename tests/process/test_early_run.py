"""``manage.py workerd run``, and what asks the daemon, read the settings alone: the forkserver loads the project."""

from pathlib import Path

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import JOBS_SETTINGS, Project

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
DONE, FAILED, WRONG_USAGE, NO_DAEMON, REFUSED = 0, 1, 2, 3, 78

APP = """
import os
import sys
from pathlib import Path
from django.apps import AppConfig

class LateConfig(AppConfig):
    name = "late"

    def ready(self):
        with Path(__file__).with_name("loads").open("a") as file:
            file.write(f"{os.getpid()} {sys.argv[2]}\\n")
"""
SETTINGS = f"""
from {JOBS_SETTINGS} import *

INSTALLED_APPS = ["workerd", "late", *INSTALLED_APPS[1:]]
ROOT_URLCONF = "{JOBS_SETTINGS}"
"""


@pytest.fixture
def loads(project: Project) -> Path:
    """The file to which the project's app adds a line each time it is loaded: by which pid, for which verb."""
    app = project.folder / "late"
    app.mkdir()
    (app / "__init__.py").touch()
    (app / "apps.py").write_text(APP)
    (project.folder / "late_settings.py").write_text(SETTINGS)
    path = f"{project.folder}:{project.env['PYTHONPATH']}"
    project.extra_env |= {"DJANGO_SETTINGS_MODULE": "late_settings", "PYTHONPATH": path}
    return app / "loads"


def test_a_start_of_the_daemon_loads_the_project_once(daemon: Daemon, loads: Path) -> None:
    daemon.start()
    forkserver = daemon.wait_event("forkserver.ready")["forkserver_pid"]

    assert loads.read_text() == f"{forkserver} forkserver\n"


@pytest.mark.parametrize("option", ["--settings=late_settings", "--settings late_settings"])
def test_settings_that_an_option_names_need_no_loaded_project_either(
    project: Project, daemon: Daemon, loads: Path, option: str
) -> None:
    project.extra_env["DJANGO_SETTINGS_MODULE"] = JOBS_SETTINGS
    daemon.start(*option.split())

    assert [line.split()[1] for line in loads.read_text().splitlines()] == ["forkserver"]


def test_what_before_fork_names_is_still_imported_first(project: Project, loads: Path) -> None:
    """It may import a model, so the project is loaded before it."""
    project.settings["BEFORE_FORK"] = ["late.apps.nothing"]
    done = project.manage("workerd", "run")

    assert done.returncode == REFUSED
    assert "names 'late.apps.nothing', which does not load" in done.stderr
    assert loads.read_text().split()[1:] == ["run"]


def test_what_asks_the_daemon_loads_nothing(project: Project, daemon: Daemon, loads: Path) -> None:
    project.add_job("idle")
    daemon.start()
    before = daemon.wait_state("idle", "RUNNING")["pid"]

    status, restarted = project.manage("workerd", "status"), project.manage("workerd", "restart", "idle")
    listed, stopped = project.manage("workerd", "records"), project.manage("workerd", "shutdown")

    answers = (status, restarted, listed, stopped)
    assert [(done.returncode, done.stderr) for done in answers] == [(DONE, "")] * 4
    assert f"ready, pid {daemon.pid}, up " in status.stdout
    assert restarted.stdout.startswith("idle: RUNNING, pid ")
    assert f"pid {before}\n" not in restarted.stdout
    assert (listed.stdout, stopped.stdout) == ("No record is set aside.\n", "the daemon has stopped\n")
    assert [line.split()[1] for line in loads.read_text().splitlines()] == ["forkserver"]
    assert daemon.wait() == DONE


def test_what_reads_the_database_loads_the_project_first(project: Project, loads: Path) -> None:
    fleet, drained = project.manage("workerd", "status", "--fleet"), project.manage("workerd", "drain", "web@b")

    assert (fleet.returncode, fleet.stderr) == (DONE, "")
    assert (drained.returncode, drained.stderr) == (FAILED, "“web@b” is no node. Nodes: none.\n")
    assert [line.split()[1] for line in loads.read_text().splitlines()] == ["status", "drain"]


def test_settings_that_cannot_be_read_and_a_silent_daemon_are_told_as_ever(project: Project, loads: Path) -> None:
    nobody = project.manage("workerd", "status")
    project.settings["POLL_SECONDS"] = 0
    wrong = project.manage("workerd", "status")

    assert (nobody.returncode, wrong.returncode) == (NO_DAEMON, FAILED)
    assert nobody.stderr.startswith("No daemon named “tests” answers")
    assert wrong.stderr.startswith('WORKERD["POLL_SECONDS"] is 0, not a number')


def test_a_mistyped_option_and_a_call_for_help_load_nothing(project: Project, loads: Path) -> None:
    for verb in ("run", "status"):
        mistyped, helped = project.manage("workerd", verb, "--nonsense"), project.manage("workerd", verb, "--help")

        assert (mistyped.returncode, helped.returncode) == (WRONG_USAGE, DONE)
        assert "unrecognized arguments: --nonsense" in mistyped.stderr
        assert helped.stdout.startswith(f"usage: manage.py workerd {verb} ")
    assert not loads.exists()

"""``manage.py workerd run`` reads the settings alone: the project is loaded once, by the forkserver."""

from pathlib import Path

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import JOBS_SETTINGS, Project

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
WRONG_USAGE, REFUSED = 2, 78

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


def test_a_mistyped_option_and_a_call_for_help_load_nothing(project: Project, loads: Path) -> None:
    mistyped, helped = project.manage("workerd", "run", "--nonsense"), project.manage("workerd", "run", "--help")

    assert (mistyped.returncode, helped.returncode) == (WRONG_USAGE, 0)
    assert "unrecognized arguments: --nonsense" in mistyped.stderr
    assert helped.stdout.startswith("usage: manage.py workerd run ")
    assert not loads.exists()

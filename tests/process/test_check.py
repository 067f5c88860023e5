"""``manage.py workerd check`` where the database does not answer, or has nothing in it yet."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.harness.backends.backend import Databases
from tests.harness.backends.server import Address, free_port
from tests.harness.project import Project
from workerd import migrations

pytestmark = pytest.mark.slow
DONE, FAILED = 0, 1


def lines_of(text: str) -> list[str]:
    """Return the lines about the database: a STATE_DIR in /tmp is a warning."""
    return [line for line in text.splitlines() if "STATE_DIR" not in line]


@pytest.mark.backends("postgres-psycopg2", "mysql-pymysql")
def test_a_database_that_is_out_is_a_warning_and_an_error_of_the_gate(project: Project, databases: Databases) -> None:
    nobody = SimpleNamespace(address=Address("127.0.0.1", free_port(), "nobody"))
    env = {"DATABASE_URL": databases.url("nowhere", server=cast("Any", nobody))}
    project.settings["DEFINITIONS"] = []

    done = project.manage("workerd", "check", env=env)
    compared = project.manage("workerd", "check", "--stop-within", "90s", env=env)
    gate = project.manage("workerd", "check", "--rows", env=env)

    assert (done.returncode, done.stderr) == (DONE, "")
    warning, can_run = lines_of(done.stdout)
    assert warning.startswith("warning: The database “default” cannot be reached (")
    assert warning.endswith(
        "), so its migrations and jobs were not looked at. Start it or correct its settings, then check again."
    )
    assert can_run == "workerd: can run."
    assert (compared.returncode, compared.stderr) == (FAILED, "")
    assert (gate.returncode, lines_of(gate.stdout)) == (FAILED, [warning.replace("warning: ", "error: ")])
    assert lines_of(compared.stdout)[-1] == (
        "error: The jobs' stop_timeout could not be read, so --stop-within was compared with nothing."
    )


def test_a_database_without_tables_is_to_be_migrated(empty_project: Project) -> None:
    done = empty_project.manage("workerd", "check", "--stop-within", "90s")

    assert (done.returncode, done.stderr) == (FAILED, "")
    [line] = lines_of(done.stdout)
    names = sorted(path.stem for path in Path(migrations.__path__[0]).glob("0*.py"))
    assert line == (
        f"error: The database “default” is not migrated: it lacks {', '.join(names)} of workerd. "
        "Run “python manage.py migrate”."
    )

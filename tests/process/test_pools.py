"""Jobs in a project whose backend is a published pool's, and whose load makes a query."""

import pytest

from tests.harness.backends.backend import Backend
from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import JOBS_SETTINGS, Project
from tests.harness.published import POOLS, engine_of, without

pytestmark = [pytest.mark.slow, pytest.mark.backends("postgres", "mysql")]
PROCESSES = 3

SETTINGS = f"""
from {JOBS_SETTINGS} import *
from {JOBS_SETTINGS} import DATABASES

DATABASES["default"]["ENGINE"] = "{{engine}}"
"""
LOADED = """
from django.db import connection

def ask():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()" if connection.vendor == "postgresql" else "SELECT CONNECTION_ID()")
        return cursor.fetchone()[0]

of_the_load = ask()

def report():
    found = {ask() for _ in range(50)}
    print("sessions", of_the_load, *found)
"""


@pytest.mark.parametrize("package", [pytest.param(name, marks=without(name)) for name in POOLS])
def test_jobs_ask_on_sessions_of_their_own(project: Project, daemon: Daemon, backend: Backend, package: str) -> None:
    write_module(project, "pool_settings", SETTINGS.format(engine=engine_of(package, backend)))
    write_module(project, "loaded", LOADED)
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "pool_settings"
    project.settings |= {"PRELOAD": ["loaded"], "TARGETS": ["loaded.*"]}
    project.add_job("report", target="loaded.report", restart="never", processes=PROCESSES)
    daemon.start()

    lines = [line["line"] for line in daemon.wait_events("child.output", PROCESSES, within=30)]

    numbers = [line.split()[1:] for line in lines]
    assert all(len(found) == 2 for found in numbers), lines
    assert len({number for found in numbers for number in found}) == 1 + PROCESSES, lines
    assert daemon.faults() == []

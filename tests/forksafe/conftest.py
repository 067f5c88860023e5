"""Runs scripts, each in a process of its own, on a database of this folder's own."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.backends.backend import Backend, Databases
from tests.harness.backends.server import GivenServer, Server

ROOT = Path(__file__).resolve().parent.parent.parent
WITHIN_S = 180
RunScript = Callable[..., tuple[Any, list[dict[str, Any]]]]
_numbers = itertools.count()

PLAIN = {
    "postgresql": {"sslmode": "disable"},
    "MySQLdb": {"ssl_mode": "DISABLED"},
    "pymysql": {"ssl_disabled": "1"},
    "sqlite": {},
}


def transport(backend: Backend, server: Server | GivenServer | None, kind: str) -> dict[str, str]:
    """Return the URL options of a connection: plain, over TLS, or from psycopg 3's pool in either way."""
    if kind == "pool-tls":
        return {**transport(backend, server, "tls"), "pool": "1"}
    plain = PLAIN.get(backend.vendor) or PLAIN.get(backend.module, {})
    if kind == "pool":
        return {**plain, "pool": "1"}
    if kind == "plain":
        return plain
    if backend.vendor == "postgresql":
        return {"sslmode": "require"}
    certificate = getattr(server, "certificate", None)
    return {"ssl_ca": str(certificate)} if certificate else {"ssl_mode": "REQUIRED"}


@pytest.fixture(scope="session")
def shared_database(databases: Databases) -> Iterator[str]:
    """The name of an empty database that all scripts share."""
    name = f"forksafe_{os.getpid()}"
    databases.create(name)
    yield name
    databases.drop(name)


@pytest.fixture
def url(databases: Databases, backend: Backend, shared_database: str) -> Callable[[str], str]:
    """Return a function that returns the DATABASE_URL of a transport: plain, tls or pool."""

    def build(kind: str = "plain") -> str:
        if kind.endswith("tls") and backend.vendor == "postgresql" and databases.execute("SHOW ssl") != [("on",)]:
            assert isinstance(databases.server, GivenServer), "a throw-away server speaks TLS"
            pytest.skip("the PostgreSQL server that is given does not speak TLS")
        return databases.url(shared_database, transport(backend, databases.server, kind))

    return build


@pytest.fixture
def run_script(url: Callable[[str], str], tmp_path: Path) -> RunScript:
    """Return a function that runs a script and returns its result and its events."""

    def run(script: str, kind: str = "plain", **program: Any) -> tuple[Any, list[dict[str, Any]]]:
        number = next(_numbers)
        events, result = tmp_path / f"events-{number}", tmp_path / f"result-{number}"
        program = {"urls": {"default": url(kind)}, "events": str(events), "result": str(result), **program}
        run_program([sys.executable, "-m", "tests.forksafe.runner", script, json.dumps(program)])
        lines = events.read_text().splitlines() if events.exists() else []
        return json.loads(result.read_text()), [json.loads(line) for line in lines]

    return run


def run_program(command: list[str], expected: int = 0, **options: Any) -> str:
    """Run a program and return its output; nothing of its process group is left afterwards."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'django_site'}", "PYTHONWARNINGS": "default"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    environment.update(options.pop("env", {}))
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
        **options,
    ) as process:
        try:
            output: str = process.communicate(timeout=WITHIN_S)[0]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == expected, f"exit {process.returncode}\n{output}"
    return output


def named(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return the events of one name."""
    return [event for event in events if event["event"] == name]

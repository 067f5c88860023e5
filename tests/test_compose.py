"""docker-compose.yml says what is true, without a container engine: its commands run on the host.

The servers' health checks and the service ``tests`` meet throw-away servers of the same kind, in place of the images'
own; the shop's services are in tests/process/test_docker.py.
"""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .harness.backends import mysql, postgres
from .harness.backends.backend import BACKENDS, MYSQL_URL, POSTGRES_URL
from .harness.backends.mysql import MySQLServer
from .harness.backends.postgres import PostgresServer
from .harness.backends.server import Address, Server

ROOT = Path(__file__).resolve().parents[1]
SERVERS: dict[str, tuple[type[Server], str, str]] = {
    "postgres": (PostgresServer, "pg_isready", "PGPORT"),
    "mysql": (MySQLServer, "mysqladmin", "MYSQL_TCP_PORT"),
}
"""By service: its kind here, its health check's program, and the variable by which that learns our port."""


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The file's services, with ``$$`` read as compose does."""
    text = (ROOT / "docker-compose.yml").read_text()
    return dict(yaml.safe_load(text.replace("$$", "$"))["services"])


@pytest.fixture(params=sorted(SERVERS))
def service(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    _, program, _ = SERVERS[name]
    found = postgres.find_binaries() if name == "postgres" else mysql.find_server()
    if found is None or shutil.which(program) is None:
        pytest.skip(f"no {name} server with {program} is installed")
    return name


@pytest.fixture
def server(service: str) -> Iterator[Server]:
    server = SERVERS[service][0]()
    server.start()
    yield server
    server.close()


def check_health(service: str, healthcheck: dict[str, Any], server: Server) -> int:
    kind, command = healthcheck["test"]
    assert kind == "CMD-SHELL"
    env = {**os.environ, SERVERS[service][2]: str(server.address.port), "MYSQL_ROOT_PASSWORD": server.address.password}
    return subprocess.run(["/bin/sh", "-c", command], env=env, capture_output=True, timeout=30, check=False).returncode


def test_a_health_check_tells_a_server_that_answers_from_one_that_does_not(
    services: dict[str, Any], service: str, server: Server
) -> None:
    healthcheck = services[service]["healthcheck"]

    assert check_health(service, healthcheck, server) == 0
    server.stop()
    assert check_health(service, healthcheck, server) != 0


def test_a_server_takes_the_options_of_its_service(services: dict[str, Any], service: str) -> None:
    program, *options = services[service]["command"]
    server = SERVERS[service][0]()
    plain = server.command

    server.command = lambda: [*plain(), *options]  # type: ignore[method-assign]
    try:
        server.start()
        assert server.answers()
    finally:
        server.close()
    assert program in ("postgres", "mysqld")


def test_the_tests_wait_for_healthy_servers(services: dict[str, Any]) -> None:
    waits = services["tests"]["depends_on"]

    assert waits == {name: {"condition": "service_healthy"} for name in SERVERS}


def test_the_tests_know_each_server_s_name_port_and_password(services: dict[str, Any]) -> None:
    env = services["tests"]["environment"]

    assert Address.from_url(env[POSTGRES_URL], 0) == Address(
        "postgres", 5432, "postgres", services["postgres"]["environment"]["POSTGRES_PASSWORD"]
    )
    assert Address.from_url(env[MYSQL_URL], 0) == Address(
        "mysql", 3306, "root", services["mysql"]["environment"]["MYSQL_ROOT_PASSWORD"]
    )


def test_the_tests_repeat_as_often_as_ci_does(services: dict[str, Any]) -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    fewer = ast.literal_eval(assigned["FEWER"])

    assert fewer
    assert fewer.items() <= services["tests"]["environment"].items()


def test_the_tests_are_built_from_a_file_that_is_there(services: dict[str, Any]) -> None:
    build = services["tests"]["build"]

    assert (ROOT / build["context"] / build["dockerfile"]).is_file()


@pytest.mark.slow
@pytest.mark.skipif(
    postgres.find_binaries() is None
    or mysql.find_server() is None
    or any(backend.missing() for backend in BACKENDS.values()),
    reason="not every backend can run on this machine with a server of its own",
)
def test_the_tests_command_runs_every_backend_on_the_servers_that_it_is_given(services: dict[str, Any]) -> None:
    """The service's own command and variables, cut to one file, with the hosts and accounts of the servers here."""
    program, *words = services["tests"]["command"]
    assert program == "python"
    dropped = ("DJANGO_", "DATABASE_URL", "WORKERD_", "PYTEST_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    servers = {POSTGRES_URL: PostgresServer(), MYSQL_URL: MySQLServer()}
    try:
        for variable, server in servers.items():
            server.start()
            at = server.address
            env[variable] = f"{variable.split('_')[2].lower()}://{at.user}@{at.host}:{at.port}/"
        done = subprocess.run(
            [sys.executable, *words, "tests/django/test_backend.py"],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        for server in servers.values():
            server.close()

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{2 * len(BACKENDS)} passed" in done.stdout
    assert all(f"{name}: " in done.stdout for name in BACKENDS)

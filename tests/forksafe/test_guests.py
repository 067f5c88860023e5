"""Programs of others that fork, with install() in the project: Django's parallel test runner, a preloading gunicorn."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.harness.backends.backend import Backend
from tests.harness.backends.server import GivenServer, Server, free_port
from tests.harness.published import POOLS, engine_of, without
from tests.harness.waiting import eventually
from workerd.forksafe.audit import audit

from .conftest import ROOT, run_program

NETWORKED = pytest.mark.backends("postgres", "mysql")
FIRST_ANSWER_WITHIN_S = 60

SETTINGS = """
from pathlib import Path
from django_site.databases import database_from_url, use_drivers
URL = {url!r}
use_drivers([URL])
DATABASES = {{"default": database_from_url(URL, Path("/"))}}
DATABASES["default"]["ENGINE"] = {engine!r} or DATABASES["default"]["ENGINE"]
INSTALLED_APPS = ["guest"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = "guest"
ROOT_URLCONF = "guest.urls"
ALLOWED_HOSTS = ["*"]
if {install!r}:
    from workerd import forksafe
    forksafe.install("guest")
"""
MODELS = """
from django.db import models
class Kept(models.Model):
    n = models.IntegerField()
"""
TESTS = """
from django.test import TestCase, TransactionTestCase
from guest.models import Kept
class RowsTest:
    def test_rows(self):
        for n in range(50):
            Kept.objects.create(n=n)
            self.assertEqual(Kept.objects.get(n=n).n, n)
        self.assertEqual(Kept.objects.count(), 50)
class A(RowsTest, TestCase): pass
class B(RowsTest, TestCase): pass
class C(RowsTest, TransactionTestCase): pass
class D(RowsTest, TransactionTestCase): pass
"""
URLS = """
import os
from django.db import connection
from django.http import HttpResponse
from django.urls import path
def session(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()" if connection.vendor == "postgresql" else "SELECT CONNECTION_ID()")
        return HttpResponse(f"{os.getpid()} {cursor.fetchone()[0]}")
urlpatterns = [path("", session)]
"""
WSGI = """
import os
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
from django.conf import settings
from guest.urls import connection, session
print("master", session(None).content.decode(), flush=True)
if not settings.DATABASES["default"]["ENGINE"].startswith("django."):
    connection.close()  # which gives it to the pool
"""


@pytest.fixture
def guest(tmp_path: Path, url: Callable[[str], str]) -> Callable[..., dict[str, str]]:
    """Return a function that writes a project and returns the environment to run it in."""

    def write(database: str | None = None, *, install: bool = True, engine: str = "") -> dict[str, str]:
        package = tmp_path / "guest"
        package.mkdir()
        files = {
            "settings.py": SETTINGS.format(url=database or url("plain"), install=install, engine=engine),
            "models.py": MODELS,
            "tests.py": TESTS,
            "urls.py": URLS,
            "wsgi.py": WSGI,
            "__init__.py": "",
        }
        for name, text in files.items():
            (package / name).write_text(textwrap.dedent(text))
        return {
            **os.environ,
            "PYTHONPATH": f"{tmp_path}:{ROOT}:{ROOT / 'django_site'}",
            "DJANGO_SETTINGS_MODULE": "guest.settings",
        }

    return write


@pytest.mark.parametrize("in_memory", [False, True])
def test_parallel_tests_are_unharmed(
    guest: Callable[..., dict[str, str]], backend: object, in_memory: bool, tmp_path: Path
) -> None:
    is_sqlite = getattr(backend, "vendor", "") == "sqlite"
    if in_memory and not is_sqlite:
        return  # only SQLite has that
    environment = guest("sqlite:///:memory:" if in_memory else None)
    output = run_program(
        [sys.executable, "-m", "django", "test", "guest", "--parallel=2", "--noinput"],
        env={**environment, "PYTHONWARNINGS": "ignore"},
    )

    assert re.search(r"Ran 4 tests in .*\n\nOK", output), output
    assert "Cloning test database" in output


@contextlib.contextmanager
def gunicorn(environment: dict[str, str], folder: Path) -> Iterator[tuple[int, int, int]]:
    """Run a preloading gunicorn with two workers; yield its port, its pid and its own session."""
    pytest.importorskip("gunicorn")
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", "2", "-b", f"127.0.0.1:{port}", "guest.wsgi"]
    with serving(command, environment, folder) as (pid, session):
        yield port, pid, session


@contextlib.contextmanager
def uwsgi(environment: dict[str, str], folder: Path) -> Iterator[tuple[int, int, int]]:
    """Run a uWSGI whose master loads the project and forks two workers: by C code, which runs no hook of Python's."""
    program = Path(sys.executable).with_name("uwsgi")
    if not program.exists():
        pytest.skip("not installed: uwsgi")
    port = free_port()
    command = [str(program), "--master", "--processes=2", f"--http-socket=127.0.0.1:{port}", "--module=guest.wsgi"]
    with serving([*command, "--need-app", "--enable-threads"], environment, folder) as (pid, session):
        yield port, pid, session


@contextlib.contextmanager
def serving(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[tuple[int, int]]:
    """Run a server whose master opens a session as it loads the project; yield its pid and that session."""
    path = folder / "server.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        said = eventually(lambda: _find_session(path.read_text()) or False, FIRST_ANSWER_WITHIN_S, "its session")
        yield process.pid, said
    except AssertionError:
        print(path.read_text())
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _find_session(log: str) -> int:
    found = re.search(r"^master \d+ (\d+)$", log, re.MULTILINE)
    return int(found[1]) if found else 0


def answers(port: int, count: int) -> list[tuple[int, int]]:
    """Ask until ``count`` answers came: the worker's pid, and the session that it used."""
    deadline = time.monotonic() + FIRST_ANSWER_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            assert time.monotonic() < deadline
    return [ask(port) for _ in range(count)]


def ask(port: int) -> tuple[int, int]:
    pid, number = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60).read().split()
    return int(pid), int(number)


def answers_of_both(port: int) -> list[tuple[int, int]]:
    """Ask from four sides at once, until both workers have answered."""
    found = answers(port, 1)
    with ThreadPoolExecutor(4) as askers:
        deadline = time.monotonic() + FIRST_ANSWER_WITHIN_S
        while len(found) < 200 or len({pid for pid, _ in found}) < 2:
            assert time.monotonic() < deadline, found[-1]
            found += askers.map(ask, [port] * 20)
    return found


def wait_for_workers(master: int, count: int) -> None:
    """Return when the master has forked its workers."""
    children = Path(f"/proc/{master}/task/{master}/children")
    deadline = time.monotonic() + FIRST_ANSWER_WITHIN_S
    while len(children.read_text().split()) < count:
        assert time.monotonic() < deadline


@NETWORKED
def test_a_preloading_gunicorn_is_safe_with_install(guest: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    with gunicorn(guest(), tmp_path) as (port, master, session):
        seen = answers(port, 20)

        assert session not in {number for _, number in seen}
        assert master not in {pid for pid, _ in seen}


@pytest.fixture
def preloaded(
    guest: Callable[..., dict[str, str]], url: Callable[[], str], backend: Backend, tmp_path: Path
) -> Callable[..., AbstractContextManager[tuple[int, int, int]]]:
    """Return a function that runs a uWSGI whose master has left its session open, or with a package: in the pool."""

    def serve(package: str, *, install: bool) -> AbstractContextManager[tuple[int, int, int]]:
        engine = engine_of(package, backend) if package else ""
        return uwsgi(guest(f"{url()}&conn_max_age=none", install=install, engine=engine), tmp_path)

    return serve


@pytest.fixture
def shared(database_server: object) -> Callable[..., list[int]]:
    """Return a function that returns by how many processes each shared session is held."""
    port = getattr(database_server, "address").port  # noqa: B009 - of either kind of server
    return lambda *pids: [len(found.holders) for found in audit(pids, [port]).shared]


PACKAGES = pytest.mark.parametrize("package", ["", *(pytest.param(name, marks=without(name)) for name in POOLS)])


@NETWORKED
@PACKAGES
def test_a_preloading_uwsgi_is_safe_with_install(
    preloaded: Callable[..., AbstractContextManager[tuple[int, int, int]]],
    shared: Callable[..., list[int]],
    package: str,
) -> None:
    with preloaded(package, install=True) as (port, master, session):
        seen = set(answers_of_both(port))
        workers = {pid for pid, _ in seen}

        assert master not in workers
        assert shared(master, *workers) == []
    numbers = [number for _, number in seen]
    assert session not in numbers
    assert len(set(numbers)) == len(numbers), "both workers have spoken on one session"


@NETWORKED
@PACKAGES
def test_without_install_the_workers_of_uwsgi_speak_on_the_masters_session(
    preloaded: Callable[..., AbstractContextManager[tuple[int, int, int]]],
    shared: Callable[..., list[int]],
    package: str,
) -> None:
    with preloaded(package, install=False) as (port, master, session):
        assert {number for _, number in answers(port, 4)} == {session}
        wait_for_workers(master, 2)
        assert shared(master) == [3]


@NETWORKED
def test_the_audit_finds_the_session_of_a_preloading_gunicorn(
    guest: Callable[..., dict[str, str]], database_server: Server | GivenServer, tmp_path: Path
) -> None:
    with gunicorn(guest(install=False), tmp_path) as (_, master, _):
        wait_for_workers(master, 2)
        server = database_server.address
        found = run_program(
            [sys.executable, "-m", "workerd.forksafe", "audit", str(master), "--port", str(server.port)], expected=1
        )

    assert f"The session with {server.peer} " in found
    assert "is held by 3 processes:" in found
    assert found.count("gunicorn") >= 3

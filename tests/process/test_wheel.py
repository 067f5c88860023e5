"""The wheel is all that a project needs: the demo runs from it, without the source tree, in an empty environment."""

import http.cookiejar
import re
import shutil
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.harness.backends.server import free_port
from tests.harness.daemon import Daemon
from tests.harness.project import MANAGE, ROOT, Project
from tests.harness.web import read_page

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite")]
PACKAGE = ROOT / "workerd"


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's wheel, built as pip builds it: by the backend that pyproject.toml names."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel and what it depends on, and no more."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    return python


@pytest.fixture
def project(empty_project: Project, python: Path) -> Project:
    """The demo beside that environment."""
    site = empty_project.folder / "site"
    shutil.copytree(MANAGE.parent, site, ignore=shutil.ignore_patterns("__pycache__", ".state"))
    empty_project.command = [str(python), str(site / "manage.py")]
    empty_project.extra_env.update(DJANGO_SETTINGS_MODULE="django_site.settings", PYTHONPATH="")
    return empty_project


class Admin:
    """A browser that has logged in to the demo's admin."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), urllib.request.ProxyHandler({})
        )
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get("/admin/login/"))
        assert token
        form = {"username": "admin", "password": "admin", "csrfmiddlewaretoken": token[1], "next": "/admin/"}
        self.get("/admin/login/", urllib.parse.urlencode(form).encode())

    def get(self, path: str, form: bytes | None = None) -> str:
        with self._opener.open(f"{self.address}{path}", form, timeout=20) as response:
            return str(response.read(), "utf-8")


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    files = {path.relative_to(ROOT) for path in PACKAGE.rglob("*") if path.is_file()}
    caches = {"__pycache__", ".ruff_cache"}
    wanted = {str(path) for path in files if path.name != "ruff.toml" and caches.isdisjoint(path.parts)}

    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == wanted
    assert {"workerd/py.typed", "workerd/migrations/0001_initial.py"} <= names


def test_the_demo_runs_from_the_wheel_alone(project: Project, daemon: Daemon, python: Path) -> None:
    port = free_port()
    done = project.manage("demo", "--port", str(port))
    assert done.returncode == 0, done.stderr
    where = project.manage("shell", "--no-imports", "-c", "import workerd; print(workerd.__file__)").stdout
    assert Path(where.strip()).is_relative_to(python.parents[1])

    daemon.start()
    daemon.wait_event("child.ready", job="ship-orders")
    read_page(f"http://127.0.0.1:{port}/admin/login/")
    admin = Admin(f"http://127.0.0.1:{port}")
    page = admin.get("/admin/workerd/job/")
    assert "ship-orders" in page
    static = re.findall(r'"(/static/workerd/[^"]+)"', page + admin.get("/admin/workerd/job/add/"))
    assert {path.rpartition(".")[2] for path in static} == {"css", "js"}
    assert all(admin.get(path) for path in static)
    daemon.stop(number=signal.SIGINT)

    assert "Traceback" not in daemon.stderr
    assert project.runs.filter(job_name="ship-orders", outcome="stopped").exists()

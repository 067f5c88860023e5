"""The image for real: built and run as docs/deployment.md says, by the engine that WORKERD_TEST_ENGINE names.

It may write to nothing but its volume and /tmp, has no capability and is nobody in particular; the compose file's own
health check is asked within. A build takes a minute or more, so there is one for all tests.
"""

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.harness.backends.backend import BACKENDS
from tests.harness.backends.server import free_port
from tests.harness.project import ROOT
from tests.harness.waiting import eventually

ENGINE = os.environ.get("WORKERD_TEST_ENGINE", "")
"""``podman`` or ``docker``, "" for none."""
COMPOSE = os.environ.get("WORKERD_TEST_COMPOSE", "").split()
"""``docker compose`` or ``podman-compose``, empty for none; it has to wait for health checks."""
BUILT_WITHIN_S = 540
HEALTHY_WITHIN_S = 90.0
CONFINED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--tmpfs=/tmp", "--network=host")
"""As deploy/kubernetes runs it. The host's network, as an engine within a machine of tests may have no other."""

MOUNTED, GROUP = "/var/lib/workerd", "10001"

pytestmark = [pytest.mark.backends("sqlite"), pytest.mark.slow]


def engine(*words: str, within: float = 60.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ENGINE, *words], capture_output=True, text=True, timeout=within, check=False)


def output(*words: str, within: float = 60.0) -> str:
    done = engine(*words, within=within)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    if not ENGINE:
        pytest.skip("it needs a container engine, which WORKERD_TEST_ENGINE names")
    name = f"workerd-test-{uuid.uuid4().hex[:8]}"
    words = ("build", "--network=host", "--file", str(ROOT / "deploy" / "docker" / "Dockerfile"), "--tag", name)
    done = engine(*words, str(ROOT), within=BUILT_WITHIN_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "useradd warning" not in done.stdout + done.stderr
    yield name
    engine("rmi", "--force", name)


class Container:
    """A container of the image, with a volume of its own that has the demo's SQLite database."""

    def __init__(self, image: str) -> None:
        self.name = f"{image}-{uuid.uuid4().hex[:8]}"
        self.port = free_port()
        self._image = image
        self._volume = f"--volume={self.name}:{MOUNTED}"
        output("run", "--rm", *CONFINED, self._volume, image, "python", "manage.py", "demo", f"--port={free_port()}")

    def start(self, *words: str, **settings: Any) -> None:
        """Start the daemon by the image's own command; ``words`` are further options of the engine's."""
        settings = {"HTTP_BIND": f"127.0.0.1:{self.port}", "LOG_FORMAT": "json", **settings}
        env = f"--env=WORKERD_SETTINGS={json.dumps(settings)}"
        output("run", "--detach", f"--name={self.name}", *CONFINED, self._volume, env, *words, self._image)

    def open_volume_to_group(self) -> None:
        """Do to the volume what fsGroup does to one of Kubernetes."""
        command = f"chown root:{GROUP} {MOUNTED} && chmod 2775 {MOUNTED}"
        output("run", "--rm", "--user=0", "--network=host", self._volume, self._image, "sh", "-c", command)

    def execute(self, *words: str) -> subprocess.CompletedProcess[str]:
        return engine("exec", self.name, *words)

    def is_healthy(self) -> bool:
        """Ask the compose file's health check, within the container."""
        services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
        _, *words = services["daemon"]["healthcheck"]["test"]
        return self.execute(*(word.replace("9187", str(self.port)) for word in words)).returncode == 0

    def get(self, path: str) -> int | None:
        """Return the status of an answer, None where nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return None

    def log(self) -> str:
        done = engine("logs", self.name)
        return done.stdout + done.stderr

    def stop(self) -> int:
        """Stop it as a release does; return the daemon's exit code."""
        output("stop", "--time=90", self.name, within=100.0)
        return int(output("inspect", "--format={{.State.ExitCode}}", self.name))

    def remove(self) -> None:
        engine("rm", "--force", self.name)
        engine("volume", "rm", "--force", self.name)


@pytest.fixture
def container(image: str) -> Iterator[Container]:
    container = Container(image)
    yield container
    print(container.log())  # pytest shows it where the test has failed
    container.remove()


def test_confined_as_it_is_the_daemon_gets_healthy_and_stops_in_order(container: Container) -> None:
    container.start()
    eventually(container.is_healthy, HEALTHY_WITHIN_S, "the health check")
    picture = json.loads(container.execute("python", "manage.py", "workerd", "status", "--json").stdout)
    status = dict(line.split(":\t", 1) for line in container.execute("cat", "/proc/1/status").stdout.splitlines())
    written = container.execute("touch", "/srv/shop/file")

    assert picture["daemon"]["pid"] == 1
    assert {slot["state"] for slot in picture["slots"] if slot["job_name"] == "price-feed"} == {"RUNNING"}
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"10001"}
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert (status["NoNewPrivs"], written.returncode != 0) == ("1", True)
    assert "Read-only file system" in written.stderr
    assert container.stop() == 0
    assert '"event":"daemon.stopped"' in container.log()


def test_code_that_does_not_load_keeps_the_container_alive_and_unhealthy(container: Container) -> None:
    container.start(PRELOAD=["nowhere"])
    eventually(lambda: container.get("/livez") == 200, HEALTHY_WITHIN_S, "the observer")
    eventually(lambda: "forkserver.rejected" in container.log(), HEALTHY_WITHIN_S, "the rejection")

    assert container.get("/readyz") == 503
    assert not container.is_healthy()
    assert container.stop() == 0


def test_in_a_volume_that_a_group_may_write_to_the_daemon_makes_a_folder_for_itself(container: Container) -> None:
    """As deploy/kubernetes mounts it."""
    container.open_volume_to_group()
    container.start(f"--env=WORKERD_STATE_DIR={MOUNTED}/state")
    eventually(lambda: container.get("/livez") == 200, HEALTHY_WITHIN_S, "the observer")

    assert container.execute("stat", "--format=%U %a", f"{MOUNTED}/state").stdout.split()[1] in {"700", "2700"}
    assert container.stop() == 0


@pytest.mark.skipif(not COMPOSE, reason="it needs a compose tool, which WORKERD_TEST_COMPOSE names")
def test_the_suite_runs_on_the_servers_of_the_compose_file() -> None:
    """The image for the tests, the servers' health checks, their names and accounts: one file, on every backend."""
    project = [*COMPOSE, "--project-name", f"workerd-test-{uuid.uuid4().hex[:8]}", "--profile", "tests"]
    words = ["run", "--rm", "tests", "python", "-m", "pytest", "--backends=all", "tests/django/test_backend.py"]
    try:
        done = subprocess.run(
            [*project, *words], cwd=ROOT, capture_output=True, text=True, timeout=BUILT_WITHIN_S, check=False
        )
    finally:
        down = [*project, "down", "--volumes", "--rmi", "local"]
        subprocess.run(down, cwd=ROOT, capture_output=True, timeout=100, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{2 * len(BACKENDS)} passed" in done.stdout + done.stderr
    assert "PostgreSQL 17" in done.stdout + done.stderr
    assert re.search(r"mysql-pymysql: .* MySQL \d", done.stdout + done.stderr)

"""The container's files as far as they can be tried without an engine: the daemon as PID 1, commands, health check."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.harness.backends.server import Address, free_port
from tests.harness.daemon import Daemon
from tests.harness.log import Log
from tests.harness.processes import Process
from tests.harness.project import MANAGE, ROOT, Project
from tests.harness.waiting import eventually
from tests.harness.web import read_page
from workerd.wire.asking import ask

DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"

pytestmark = [pytest.mark.backends("sqlite"), pytest.mark.slow]


def instructions(name: str) -> list[str]:
    """Return the arguments of every such instruction in the Dockerfile's last stage."""
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text())
    stage = text[text.rindex("\nFROM ") + 1 :]
    return [line.partition(" ")[2] for line in stage.splitlines() if line.partition(" ")[0] == name]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    text = (ROOT / "docker-compose.yml").read_text()
    return dict(yaml.safe_load(text.replace("$$", "$"))["services"])


# as PID 1


class Container:
    """The daemon as PID 1 of a pid namespace, started by the image's own command."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.log = Log()
        program, script, *words = json.loads(instructions("CMD")[0])
        assert (program, script) == ("python", "manage.py")
        command = [
            "unshare",
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "--mount-proc",
            sys.executable,
            str(MANAGE),
            *words,
        ]
        self._process = subprocess.Popen(
            command, env=project.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=project.folder
        )
        assert self._process.stdout is not None
        self.log.read(self._process.stdout)

    @property
    def pid(self) -> int:
        """PID 1, as it is called out here."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0])

    def execute(self, script: str) -> None:
        """What ``docker exec`` does: a process that is no child of PID 1's, until it is orphaned."""
        command = ["nsenter", "--target", str(self.pid), "--pid", "--mount", "sh", "-c", script]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60, check=True)

    def children(self) -> list[Process]:
        pids = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [process for pid in pids if (process := Process.look(int(pid)))]

    def stop(self) -> int:
        """What ``docker stop`` does; return the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self._process.wait(60)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.log.wait_for_end()


@pytest.fixture
def container(project: Project) -> Iterator[Container]:
    project.add_job("idle", processes=2)
    container = Container(project)
    try:
        container.log.wait_event("daemon.ready", within=30)
        yield container
    finally:
        container.kill()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="it needs root and unshare")
def test_as_pid_1_it_reaps_strangers_lets_them_be_while_they_live_and_stops_in_order(container: Container) -> None:
    picture = ask(container.project.state_dir, container.project.name, {"verb": "status"}, 5)
    assert picture["daemon"]["pid"] == 1

    container.execute("sleep 3600 & sleep 0.1 & sleep 0.1 &")

    def only_one_is_left() -> None:
        strangers = [child for child in container.children() if child.name in ("sh", "sleep")]
        assert [(child.name, child.state) for child in strangers] == [("sleep", "S")]

    eventually(only_one_is_left, what="the others to be reaped")
    assert container.stop() == 0
    assert {event["outcome"] for event in container.log.events("child.exited", job="idle")} == {"stopped"}


# the files


def test_the_image_runs_as_nobody_in_particular_and_starts_the_daemon_itself() -> None:
    assert instructions("USER") == ["shop"]
    assert json.loads(instructions("CMD")[0]) == ["python", "manage.py", "workerd", "run"]
    assert instructions("ENTRYPOINT") == []
    copied = [line.split()[:-1] for line in instructions("COPY") if not line.startswith("--from=")]
    for source in (word for words in copied for word in words):
        assert (ROOT / source).exists(), source


def test_the_image_has_the_newest_python_and_django_that_the_tests_run() -> None:
    text = DOCKERFILE.read_text()
    classifiers: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]

    def newest(kind: str) -> str:
        return max((line.rpartition(" ")[2] for line in classifiers if line.startswith(kind)), key=numbers)

    def numbers(version: str) -> list[int]:
        return [int(number) for number in version.split(".")]

    assert set(re.findall(r"^FROM python:([\d.]+)-slim", text, re.MULTILINE)) == {
        newest("Programming Language :: Python :: 3.")
    }
    assert f"'Django=={newest('Framework :: Django :: ')}.*'" in text


def test_the_daemon_has_time_to_stop_and_is_pid_1(services: dict[str, Any]) -> None:
    daemon = services["daemon"]

    assert daemon["stop_grace_period"] == "90s"
    assert "init" not in daemon
    assert "command" not in daemon


def test_a_container_that_is_recreated_is_the_same_node(services: dict[str, Any]) -> None:
    """Without a name of its own it would have another one each time, and its former runs would never end."""
    assert services["daemon"]["hostname"] == "shop"


def test_the_health_check_follows_readyz(services: dict[str, Any], project: Project, daemon: Daemon) -> None:
    port = free_port()
    settings = json.loads(services["daemon"]["environment"]["WORKERD_SETTINGS"])
    kind, program, *words = services["daemon"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    assert settings["HTTP_BIND"].endswith(":9187")
    command = [sys.executable, *(word.replace("9187", str(port)) for word in words)]
    project.settings["HTTP_BIND"] = f"127.0.0.1:{port}"
    daemon.start()
    read_page(f"http://127.0.0.1:{port}/livez")

    assert subprocess.run(command, check=False).returncode == 0
    daemon.stop()
    assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode != 0


def shop(service: dict[str, Any], project: Project, port: str) -> tuple[list[str], dict[str, str]]:
    """Return a service's command and environment as they stand, but for the port and the server of the database."""
    program, *words = service["command"]
    assert program == "python"
    published = service.get("ports", [port])[0].rpartition(":")[2]
    env = {**project.env, **service["environment"], "DJANGO_SETTINGS_MODULE": "django_site.settings"}
    assert urlsplit(env["DATABASE_URL"]).scheme == urlsplit(project.url).scheme
    return [sys.executable, *(word.replace(published, port) for word in words)], {**env, "DATABASE_URL": project.url}


@pytest.mark.backends("postgres-psycopg2")
def test_the_demo_readies_an_empty_database_and_the_site_serves_its_admin(
    services: dict[str, Any], empty_project: Project
) -> None:
    port = str(free_port())
    command, env = shop(services["demo"], empty_project, port)

    subprocess.run(command, env=env, cwd=MANAGE.parent, timeout=180, check=True)

    assert empty_project.jobs.filter(name="admin-site").exists()
    command, env = shop(services["site"], empty_project, port)
    with subprocess.Popen(command, env=env, cwd=MANAGE.parent) as site:
        try:
            assert "csrfmiddlewaretoken" in read_page(f"http://127.0.0.1:{port}/admin/login/")
            assert "body" in read_page(f"http://127.0.0.1:{port}/static/admin/css/base.css")
        finally:
            site.terminate()


def test_the_shop_s_database_is_the_server_that_the_file_starts(services: dict[str, Any]) -> None:
    password = services["postgres"]["environment"]["POSTGRES_PASSWORD"]

    for name in ("demo", "site", "daemon"):
        url = services[name]["environment"]["DATABASE_URL"]
        assert Address.from_url(url, 0) == Address("postgres", 5432, "postgres", password)


# the release's Job of deploy/kubernetes


def test_the_release_s_job_readies_an_empty_database_and_fails_where_a_job_may_need_longer_to_stop(
    empty_project: Project,
) -> None:
    pod = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "base" / "release-job.yaml").read_text())["spec"]["template"]
    commands = [container["command"] for name in ("initContainers", "containers") for container in pod["spec"][name]]
    assert {(program, script) for program, script, *_ in commands} == {("python", "manage.py")}
    env = {"DJANGO_SETTINGS_MODULE": "django_site.settings"}

    for _, _, *words in commands:
        done = empty_project.manage(*words, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
    empty_project.edit_job("price-feed", stop_timeout=80.0)
    check = empty_project.manage(*commands[-1][2:], env=env)
    assert check.returncode == 1
    assert "error: “price-feed” may take" in check.stdout

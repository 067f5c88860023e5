"""A job is who it would be alone: its arguments, its environment, and all that starts processes by them."""

import json
import socket
import subprocess

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.process.probes.management.commands.identify import WAYS

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]

SETTINGS = "tests.process.probes.settings"


@pytest.fixture
def probes(project: Project) -> Project:
    project.extra_env = {"DJANGO_SETTINGS_MODULE": SETTINGS}
    project.settings["COMMANDS"] = ["identify"]
    project.settings["TARGETS"] = ["tests.process.probes.jobs.*"]
    return project


def test_whatever_starts_processes_works_as_in_the_plain_command(probes: Project, daemon: Daemon) -> None:
    for way in WAYS:
        probes.add_job(way, command=f"identify {way}", restart="never")
    daemon.start()

    for way in WAYS:
        ended = daemon.wait_event("child.exited", job=way, within=60)
        plain = probes.manage("identify", way)
        lines = [event["line"] for event in daemon.events("child.output", job=way)]

        assert (ended["exit_code"], [line for line in lines if line.startswith(">")]) == (
            plain.returncode,
            [line for line in plain.stdout.splitlines() if line.startswith(">")],
        ), (way, lines, plain.stderr)
    assert daemon.faults() == []


def test_the_environment_names_the_job_the_slot_and_the_run(probes: Project, daemon: Daemon) -> None:
    probes.add_job("who", target="tests.process.probes.jobs.show_environment", processes=2, restart="never")
    daemon.start()

    for index in range(2):
        slot = f"who:{index}"
        daemon.wait_event("child.exited", slot=slot)
        [printed] = daemon.events("child.output", slot=slot)
        shown = json.loads(printed["line"])

        assert shown == {
            "WORKERD_JOB": "who",
            "WORKERD_SLOT": slot,
            "WORKERD_INDEX": str(index),
            "WORKERD_PROCESSES": "2",
            "WORKERD_RUN": printed["run"],
            "argv": ["workerd", "once", "who"],
            "TRACEPARENT": None,  # no exporter would send the span that it names
        }


def test_once_is_who_a_child_of_the_daemon_is(probes: Project) -> None:
    probes.add_job("who", target="tests.process.probes.jobs.show_environment", processes=2)
    probes.add_job("which", command="identify show")

    shown = json.loads(probes.manage("workerd", "once", "who").stdout)

    assert {name: shown[name] for name in shown if name != "WORKERD_RUN"} == {
        "WORKERD_JOB": "who",
        "WORKERD_SLOT": "who:0",
        "WORKERD_INDEX": "0",
        "WORKERD_PROCESSES": "2",
        "argv": ["workerd", "once", "who"],
        "TRACEPARENT": None,
    }
    assert probes.manage("workerd", "once", "which").stdout == "> manage.py identify show\n"


def test_a_process_that_has_the_forkserver_s_words_is_none(probes: Project) -> None:
    """A job may have got them, and at that number a socket of its own, which another process than its parent made."""
    ours, theirs = socket.socketpair()
    words = [*probes.command, "workerd", "forkserver", "--channel", str(theirs.fileno())]
    with ours, theirs:
        done = subprocess.run(
            ["sh", "-c", '"$@"; exit $?', "sh", *words],
            pass_fds=[theirs.fileno()],
            capture_output=True,
            text=True,
            env=probes.env,
            timeout=60,
            check=False,
        )

    assert done.returncode == 2
    assert "invalid choice: 'forkserver'" in done.stderr

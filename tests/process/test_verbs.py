"""Every verb of the command against one daemon at work: what it prints, for people and for programs, and exit codes.

Each test has jobs of its own, so that their order does not matter.
"""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import Databases
from tests.harness.daemon import Daemon, running
from tests.harness.processes import Process
from tests.harness.project import Project
from tests.harness.waiting import eventually

NOTE = "Restarted with the code of generation 1; “reload” loads newer files."
DONE, FAILED, USAGE, NO_DAEMON = 0, 1, 2, 3
JOBS: dict[str, dict[str, Any]] = {
    "pair": {"target": "tests.process.bad_jobs.jobs.idle", "processes": 2},
    "single": {"target": "tests.process.bad_jobs.jobs.idle"},
    "restarted": {"target": "tests.process.bad_jobs.jobs.idle", "processes": 2},
    "stopped": {"target": "tests.process.bad_jobs.jobs.idle"},
    "noted": {
        "target": "tests.process.bad_jobs.jobs.write_note",
        "kwargs": {"note": "half way"},
        "heartbeat_timeout": 60,
    },
    "dumped": {"target": "tests.process.bad_jobs.jobs.idle"},
    "disabled": {"target": "tests.process.bad_jobs.jobs.idle", "enabled": False},
    "refused": {"target": "os.system"},
    "failing": {"target": "tests.process.bad_jobs.jobs.crash", "backoff_initial": 300, "backoff_max": 300},
    "finished": {"target": "tests.process.bad_jobs.jobs.finish", "restart": "never"},
    "slow-to-stop": {
        "target": "tests.process.bad_jobs.jobs.stop_when_let",
        "kwargs": {"path": "let-go"},
    },
}

pytestmark = [pytest.mark.backends("any"), pytest.mark.slow]


@pytest.fixture(scope="module")
def project(
    template: str,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Project]:
    databases.copy(template, "verbs")
    with django_db_blocker.unblock():
        project = Project(tmp_path_factory.mktemp("verbs"), databases, "verbs")
        project.settings["TARGETS"] = ["tests.process.*"]
        for name, fields in JOBS.items():
            project.add_job(name, **fields)
        yield project
        project.close()


@pytest.fixture(scope="module")
def daemon(project: Project) -> Iterator[Daemon]:
    """A daemon whose jobs have all arrived where they will stay."""
    with running(project) as daemon:
        for name, state in (("refused", "PARKED"), ("failing", "BACKOFF"), ("finished", "DONE"), ("noted", "RUNNING")):
            daemon.wait_state(name, state)
        eventually(lambda: daemon.slot("noted")["note"] == "half way", what="the note")
        yield daemon
        let_go(daemon)


def let_go(daemon: Daemon) -> None:
    """From now on, whoever is slow to stop stops."""
    (daemon.project.folder / "let-go").touch()


def workerd(daemon: Daemon, *words: str) -> "subprocess.CompletedProcess[str]":
    return daemon.project.manage("workerd", *words)


# status


def test_status_shows_people_the_daemon_and_a_line_a_slot(daemon: Daemon) -> None:
    done = workerd(daemon, "status")

    head, _, table = done.stdout.partition("\n\n")
    assert f"ready, pid {daemon.pid}, up " in head
    assert re.search(r"^slots: 1 stopped, \d+ running, 1 backoff, 1 done, 1 parked; ", head, re.MULTILINE), head
    assert "forkserver: generation 1, pid " in head
    assert f"database: reachable ({daemon.project.databases.backend.vendor})" in head
    rows = {line.split()[0]: line for line in table.splitlines() if line}
    assert rows["SLOT"].split() == ["SLOT", "STATE", "SINCE", "PID", "RESTARTS", "MEMORY", "LAST", "BEAT"]
    assert {"pair:0", "pair:1", "single", "workerd.ledger"} < set(rows)
    assert rows["noted"].endswith("half way")
    assert "os.system" in rows["refused"]
    assert "next start in " in rows["failing"]
    assert "RuntimeError: crashed on purpose" in rows["failing"]
    assert done.returncode == FAILED, "something is parked"


def test_status_tells_programs_the_same_as_json(daemon: Daemon) -> None:
    done = workerd(daemon, "status", "--json")

    picture = json.loads(done.stdout)
    assert done.returncode == FAILED, "something is parked"
    assert (picture["daemon"]["pid"], picture["daemon"]["generation"]) == (daemon.pid, 1)
    assert picture["daemon"]["database"]["reachable"] is True
    slots = {slot["name"]: slot for slot in picture["slots"]}
    states = {name: slots[name]["state"] for name in ("refused", "failing", "finished", "disabled", "noted")}
    assert states == {
        "refused": "PARKED",
        "failing": "BACKOFF",
        "finished": "DONE",
        "disabled": "STOPPED",
        "noted": "RUNNING",
    }
    assert slots["noted"]["note"] == "half way"
    assert slots["noted"]["last_beat"] >= slots["noted"]["since"] - 60
    assert slots["failing"]["next_start"] > slots["failing"]["since"]


# orders


def test_restart_takes_a_job_or_a_slot_and_tells_the_new_pid(daemon: Daemon) -> None:
    first = [daemon.wait_state(f"restarted:{index}", "RUNNING")["pid"] for index in (0, 1)]

    done = workerd(daemon, "restart", "restarted:1")

    second = [daemon.slot(f"restarted:{index}")["pid"] for index in (0, 1)]
    assert (done.returncode, done.stdout) == (DONE, f"restarted:1: RUNNING, pid {second[1]}\n{NOTE}\n")
    assert second[0] == first[0]
    assert second[1] != first[1]
    both = workerd(daemon, "restart", "restarted")
    assert both.returncode == DONE
    assert not {daemon.slot(f"restarted:{index}")["pid"] for index in (0, 1)} & {*first, *second}


def test_stop_holds_until_start_whatever_else_is_edited(daemon: Daemon, project: Project) -> None:
    pid = daemon.wait_state("stopped", "RUNNING")["pid"]

    stopped = workerd(daemon, "stop", "stopped")

    assert (stopped.returncode, stopped.stdout) == (DONE, "stopped: STOPPED\n")
    assert Process.look(pid) is None
    position = daemon.log.position
    project.edit_job("stopped", stop_timeout=9)
    daemon.wait_event("jobs.changed", since=position)
    refused = workerd(daemon, "restart", "stopped")
    assert (refused.returncode, refused.stderr) == (FAILED, "stopped: it is stopped: start it\n")
    started = workerd(daemon, "start", "stopped")
    assert (started.returncode, started.stdout) == (
        DONE,
        f"stopped: RUNNING, pid {daemon.slot('stopped')['pid']}\n",
    )


def test_an_order_waits_for_its_result_unless_told_not_to(daemon: Daemon) -> None:
    pid = daemon.wait_state("slow-to-stop", "RUNNING")["pid"]

    done = workerd(daemon, "restart", "--no-wait", "slow-to-stop")

    assert (done.returncode, done.stdout) == (DONE, "slow-to-stop: asked\n")
    assert daemon.slot("slow-to-stop")["pid"] == pid, "nobody has let it go"
    let_go(daemon)
    daemon.wait_event("child.exited", pid=pid, outcome="stopped")
    daemon.wait_state("slow-to-stop", "RUNNING")


def test_dump_shows_every_thread_s_stack(daemon: Daemon) -> None:
    done = workerd(daemon, "dump", "dumped")

    assert done.returncode == DONE
    assert "in idle" in done.stdout
    assert "thread 0x" in done.stdout
    assert daemon.wait_event("child.stack", slot="dumped")["stack"] in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("start", "disabled"), "disabled: it is disabled: enable its row first"),
        (("restart", "disabled"), "disabled: it is disabled: enable its row first"),
        (("resume", "single"), "single: it is RUNNING, not parked: nothing to resume"),
        (("dump", "disabled"), "disabled: nothing to dump: it is STOPPED"),
        (("stop", "nobody"), "nobody: there is no such job or slot. Jobs: disabled, dumped, failing"),
        (("restart", "pair:7"), "pair:7: there is no such job or slot."),
        (("resume", "refused"), "refused: PARKED"),
    ],
)
def test_an_order_that_cannot_be_done_says_why(daemon: Daemon, words: tuple[str, str], sentence: str) -> None:
    done = workerd(daemon, *words)

    assert (done.returncode, done.stdout) == (FAILED, "")
    assert done.stderr.startswith(sentence)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("restart",), "Name the jobs or slots to restart, or use --all; not both.\n"),
        (("restart", "--all", "single"), "Name the jobs or slots to restart, or use --all; not both.\n"),
        (("restart", "--sideways"), "unrecognized arguments: --sideways"),
        (("dance",), "invalid choice: 'dance'"),
        ((), "the following arguments are required: VERB"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_words_that_are_no_order_are_a_usage_error(daemon: Daemon, words: tuple[str, ...], said: str) -> None:
    done = workerd(daemon, *words)

    assert done.returncode == USAGE
    assert said in done.stderr
    assert "forkserver" not in done.stderr, "no operator types the daemon's own verb"


def test_orders_are_done_while_the_ledger_is_deaf(daemon: Daemon) -> None:
    """It has stopped in the middle of whatever it did: neither ``status`` nor an order asks it anything."""
    ledger = daemon.picture()["slots"][0]
    assert ledger["name"] == "workerd.ledger"
    pid = daemon.wait_state("single", "RUNNING")["pid"]
    os.kill(ledger["pid"], signal.SIGSTOP)
    try:
        assert workerd(daemon, "restart", "single").returncode == DONE
        assert workerd(daemon, "stop", "single").returncode == DONE
        assert workerd(daemon, "start", "single").returncode == DONE
        assert daemon.slot("single")["pid"] != pid
    finally:
        os.kill(ledger["pid"], signal.SIGCONT)


# the others


def test_check_says_what_is_wrong_with_its_remedy(daemon: Daemon, project: Project) -> None:
    rows = workerd(daemon, "check")
    bad = project.manage("workerd", "check", env={"WORKERD_SETTINGS": '{"POLL_SECONDS": -1, "NAME": "no name"}'})

    assert rows.returncode == FAILED
    [error] = [line for line in rows.stdout.splitlines() if line.startswith("error: ")]
    assert error.startswith("error: The job “refused” cannot run: “os.system” is not a job that the project allows.")
    assert bad.returncode == FAILED
    assert 'WORKERD["POLL_SECONDS"] is -1' in bad.stdout
    assert "WORKERD[\"NAME\"] is 'no name'" in bad.stdout


def test_check_compares_the_service_manager_s_patience_with_the_rows(daemon: Daemon) -> None:
    enough, less, nonsense = (workerd(daemon, "check", "--stop-within", text) for text in ("25s", "24s", "soon"))

    assert (less.returncode, nonsense.returncode) == (FAILED, USAGE)
    assert "to stop" not in enough.stdout
    assert "may take 10 s to stop: the service manager has to wait 25 s." in less.stdout


def test_once_runs_a_job_in_the_foreground(daemon: Daemon, project: Project) -> None:
    good, bad = workerd(daemon, "once", "finished"), workerd(daemon, "once", "failing")

    assert good.returncode == DONE
    assert bad.returncode == FAILED
    assert "crashed on purpose" in bad.stdout + bad.stderr


def test_every_verb_that_asks_a_daemon_says_when_none_answers(daemon: Daemon, project: Project) -> None:
    for words in (("status",), ("restart", "single"), ("reload",), ("tail",), ("shutdown",)):
        done = project.manage("workerd", *words, env={"WORKERD_NAME": "nobody"})

        assert done.returncode == NO_DAEMON, words
        assert "No daemon named “nobody” answers at " in done.stderr


def test_every_verb_describes_itself(daemon: Daemon) -> None:
    done = workerd(daemon, "--help")

    for verb in (
        "run",
        "check",
        "status",
        "start",
        "stop",
        "restart",
        "resume",
        "trigger",
        "reload",
        "dump",
        "tail",
        "once",
    ):
        assert f"\n    {verb} " in done.stdout

"""Orders with ``--all``, for people and for programs, and orders that come from and go into the database."""

import json
import signal
import subprocess
from typing import Any

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import ALIAS, Project
from tests.harness.waiting import eventually
from workerd.models import Operation

DONE, FAILED = 0, 1
RUNNING = ("pair:0", "pair:1", "single")
SLOTS = ("disabled", "held", "pair:0", "pair:1", "parked", "single")

pytestmark = [pytest.mark.backends("any"), pytest.mark.slow]


@pytest.fixture
def mixed(project: Project, daemon: Daemon) -> Daemon:
    """A daemon whose slots run, are disabled, held and parked."""
    project.add_job("pair", "idle", processes=2)
    project.add_job("single", "idle")
    project.add_job("held", "idle")
    project.add_job("disabled", "idle", enabled=False)
    file = str(project.folder / "file")
    project.add_job("parked", "crash_without", kwargs={"path": file}, max_restarts=0, start_grace=1)
    daemon.start()
    for slot in (*RUNNING, "held"):
        daemon.wait_state(slot, "RUNNING")
    assert daemon.ask({"verb": "stop", "names": ["held"]})["ok"] is True
    daemon.wait_state("parked", "PARKED")
    return daemon


def order(daemon: Daemon, verb: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return daemon.project.manage("workerd", verb, "--all", *words)


def slot_lines(done: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    """Return what the command prints of each slot; of a dump, the first line."""
    lines = [line.partition(": ") for line in (done.stdout + done.stderr).splitlines()]
    return {name: text for name, _, text in lines if name in SLOTS}


def slot_answers(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """Return what the command answers of each slot with ``--json``."""
    answer = json.loads(done.stdout)
    assert (answer["ok"], done.stderr) == (done.returncode == DONE, "")
    return {slot["slot"]: (slot["ok"], slot["text"]) for slot in answer["slots"]}


def pids(daemon: Daemon) -> dict[str, int | None]:
    return {slot["name"]: slot["pid"] for slot in daemon.picture()["slots"] if slot["name"] in SLOTS}


def test_restart_all_passes_over_who_is_not_wanted_and_fails_where_one_does_not_come_up(
    mixed: Daemon, project: Project
) -> None:
    refused = order(mixed, "restart")
    assert refused.returncode == FAILED
    assert [line.partition(": PARKED: ")[0] for line in refused.stderr.splitlines()] == ["parked"]
    (project.folder / "file").touch()
    before = pids(mixed)

    done = order(mixed, "restart")

    after = pids(mixed)
    assert done.returncode == DONE, done.stderr
    assert slot_lines(done) == {
        **{slot: f"RUNNING, pid {after[slot]}" for slot in (*RUNNING, "parked")},
        "disabled": "it is disabled: enable its row first",
        "held": "it is stopped: start it",
    }
    assert not {before[slot] for slot in RUNNING} & {after[slot] for slot in RUNNING}
    again = slot_answers(order(mixed, "restart", "--json"))
    assert again == {
        **{slot: (True, f"RUNNING, pid {pid}") for slot, pid in pids(mixed).items() if pid},
        "disabled": (True, "it is disabled: enable its row first"),
        "held": (True, "it is stopped: start it"),
    }


def test_resume_all_resumes_what_is_parked(mixed: Daemon, project: Project) -> None:
    (project.folder / "file").touch()
    before = pids(mixed)

    done = order(mixed, "resume")

    after = pids(mixed)
    assert (done.returncode, done.stderr) == (DONE, "")
    assert slot_lines(done)["parked"] == f"RUNNING, pid {after['parked']}"
    assert slot_lines(done)["single"] == "it is RUNNING, not parked: nothing to resume"
    assert {slot: after[slot] for slot in RUNNING} == {slot: before[slot] for slot in RUNNING}
    assert slot_answers(order(mixed, "resume", "--json"))["parked"] == (
        True,
        "it is RUNNING, not parked: nothing to resume",
    )


def test_stop_all_holds_everyone_and_start_all_brings_back_who_is_enabled(mixed: Daemon, project: Project) -> None:
    (project.folder / "file").touch()

    stopped = order(mixed, "stop")

    assert (stopped.returncode, slot_lines(stopped)) == (DONE, dict.fromkeys(SLOTS, "STOPPED"))
    assert set(pids(mixed).values()) == {None}
    assert slot_answers(order(mixed, "stop", "--json")) == dict.fromkeys(SLOTS, (True, "STOPPED"))
    started = order(mixed, "start")
    assert (started.returncode, started.stderr) == (DONE, "")
    assert slot_lines(started) == {
        **{slot: f"RUNNING, pid {pid}" for slot, pid in pids(mixed).items() if pid},
        "disabled": "it is disabled: enable its row first",
    }
    again = order(mixed, "start", "--json")
    assert slot_answers(again)["held"] == (True, f"RUNNING, pid {pids(mixed)['held']}")


def test_dump_all_shows_the_stacks_of_every_child(mixed: Daemon) -> None:
    done = order(mixed, "dump")

    stacks = slot_answers(order(mixed, "dump", "--json"))
    assert (done.returncode, done.stderr) == (DONE, "")
    assert done.stdout.count(" in idle") == len(RUNNING)
    assert slot_lines(done)["held"] == "nothing to dump: it is STOPPED"
    assert all(" in idle" in stacks[slot][1] for slot in RUNNING)
    assert stacks["parked"] == (True, "nothing to dump: it is PARKED")
    asked = slot_answers(order(mixed, "restart", "--no-wait", "--json"))
    assert {slot: asked[slot] for slot in RUNNING} == dict.fromkeys(RUNNING, (True, "asked"))


def test_usr2_writes_every_child_s_stacks_to_the_log(mixed: Daemon) -> None:
    position = mixed.log.position

    mixed.signal(signal.SIGUSR2)

    for slot in RUNNING:
        assert " in idle" in mixed.wait_event("child.stack", since=position, slot=slot)["stack"]
    assert [event["slot"] for event in mixed.events("child.stack", since=position, job="held")] == []


def test_the_other_verbs_speak_to_programs_too(mixed: Daemon, project: Project) -> None:
    reload, check = (project.manage("workerd", verb, "--json") for verb in ("reload", "check"))
    bad = project.manage("workerd", "check", "--json", env={"WORKERD_SETTINGS": '{"POLL_SECONDS": -1}'})

    answer = json.loads(reload.stdout)
    assert (reload.returncode, answer["ok"], answer["generation"]) == (FAILED, False, 2), "a job of them is parked"
    assert "parked is PARKED" in answer["error"]
    assert (check.returncode, json.loads(check.stdout)["ok"]) == (DONE, True)
    problems = json.loads(bad.stdout)["problems"]
    assert (bad.returncode, json.loads(bad.stdout)["ok"]) == (FAILED, False)
    assert [problem["level"] for problem in problems if "POLL_SECONDS" in problem["text"]] == ["error"]


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["people", "programs"])
def test_a_shutdown_has_stopped_everything_when_it_returns_and_is_in_the_audit_trail(
    project: Project, daemon: Daemon, words: tuple[str, ...]
) -> None:
    project.add_job("stop-slowly", kwargs={"takes": 1.0})
    daemon.start()
    daemon.wait_state("stop-slowly", "RUNNING")

    done = project.manage("workerd", "shutdown", *words)

    assert done.returncode == DONE
    assert json.loads(done.stdout) == {"ok": True} if words else done.stdout == "the daemon has stopped\n"
    assert daemon.wait_event("child.exited", job="stop-slowly")["outcome"] == "stopped"
    assert daemon.wait() == DONE
    daemon.assert_clean_exit()
    row = Operation.objects.using(ALIAS).get()
    assert (row.verb, row.job_name, row.result) == ("shutdown", "", "done")


# the database


def test_an_order_in_a_row_is_done_and_answered_in_it_and_a_late_one_is_not(mixed: Daemon) -> None:
    rows, before = Operation.objects.using(ALIAS), pids(mixed)
    stale = rows.create(verb="restart", job_name="single", requested_by="yesterday", expires="2026-01-01T00:00:00Z")

    restart = rows.create(verb="restart", job_name="pair", slot="pair:1", requested_by="anna")
    resume = rows.create(verb="resume", requested_by="bert")
    shutdown = rows.create(verb="shutdown", requested_by="carl")

    asked = (restart, resume, shutdown)
    eventually(lambda: rows.filter(pk__in=[row.pk for row in asked]).exclude(result="").count() == 3, 30, "results")
    for row in asked:
        row.refresh_from_db()
    assert shutdown.result == "no row can ask a daemon for “shutdown”"
    assert restart.taken is not None
    assert restart.result == f"pair:1: RUNNING, pid {pids(mixed)['pair:1']}"
    assert pids(mixed)["pair:1"] != before["pair:1"]
    assert mixed.wait_event("operation.taken", requested_by="anna")["job"] == "pair:1"
    stale.refresh_from_db()
    assert (stale.taken, stale.result) == (None, "")
    assert pids(mixed)["single"] == before["single"]


def test_what_the_command_orders_is_in_the_audit_trail(mixed: Daemon, project: Project) -> None:
    rows = Operation.objects.using(ALIAS)
    project.manage("workerd", "restart", "single", "pair:0")
    order(mixed, "resume")
    project.manage("workerd", "reload")

    def are_there() -> None:
        told = rows.filter(requested__gt=began).exclude(result="")
        assert {(row.verb, row.job_name, row.slot) for row in told} == {
            ("restart", "single", ""),
            ("restart", "pair", "pair:0"),
            ("resume", "", ""),
            ("reload", "", ""),
        }

    began = mixed.events("daemon.ready")[0]["timestamp"]
    held = rows.filter(verb="stop", slot="", job_name="held")
    eventually(held.exists, what="the order of before")
    rows.filter(pk__in=held.values("pk")).delete()
    eventually(are_there, 30, "a row for each, with its result")
    assert "RUNNING" in rows.get(verb="restart", job_name="single").result
    assert "parked: PARKED" in rows.get(verb="resume").result
    assert all(row.taken and row.requested_by for row in rows.all())

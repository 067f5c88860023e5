"""Jobs that run at times, with the real daemon: an operator's run, a reload, what is shown and what is audited."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import Project
from tests.harness.waiting import eventually
from workerd.models import Operation

DONE, FAILED = 0, 1
NIGHTLY: dict[str, Any] = {"schedule": "30 2 1 1 *", "time_zone": "UTC", "restart": "on_failure"}
UNTIL_TOLD = """
import pathlib
from workerd import job

@job
def work(context, path: str) -> None:
    while not pathlib.Path(path).exists():
        if context.wait(0.02):
            return
"""

pytestmark = pytest.mark.slow


def trigger(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    return project.manage("workerd", "trigger", *words)


def begin_triggered(project: Project, *words: str) -> "subprocess.Popen[str]":
    """Begin ``trigger`` and do not wait for it."""
    command = [*project.command, "workerd", "trigger", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=project.env, cwd=project.folder, stdout=pipe, stderr=pipe, text=True)


def add_until_told(project: Project, path: Path, **fields: Any) -> None:
    """Have a scheduled job that finishes as soon as ``path`` is there."""
    write_module(project, "told", UNTIL_TOLD)
    project.settings["PRELOAD"] = ["told"]
    project.add_job("told", target="told.work", kwargs={"path": str(path)}, **{**NIGHTLY, **fields})


def runs_of(project: Project, job: str, count: int) -> list[tuple[str | None, str]]:
    """Return trigger and outcome of the job's runs, the oldest first, when so many have ended."""
    runs = project.runs.filter(job_name=job, ended__isnull=False).order_by("born")
    eventually(lambda: runs.count() >= count, 30, f"{count} runs")
    return list(runs.values_list("trigger", "outcome"))


def test_a_job_is_run_now_and_its_history_and_the_audit_tell_by_whom(project: Project, daemon: Daemon) -> None:
    """Case 75."""
    project.add_job("finish", **NIGHTLY)
    project.add_job("crash", max_restarts=1, backoff_initial=0, **NIGHTLY)
    daemon.start()
    following = daemon.wait_state("finish", "WAITING")["next_due"]

    begun = trigger(project, "finish")
    finished = trigger(project, "finish", "--wait")
    failed = trigger(project, "crash", "--wait")
    told = trigger(project, "finish", "--wait", "--json")

    assert (begun.returncode, begun.stderr) == (DONE, "")
    assert begun.stdout.startswith("finish: it runs, pid ")
    assert (finished.returncode, finished.stdout) == (DONE, "finish: finished: exit code 0\n")
    assert failed.returncode == FAILED
    assert failed.stderr == (
        "crash: error: failed 2 times; waits for its next time; last: RuntimeError: crashed on purpose\n"
    )
    assert json.loads(told.stdout) == {
        "ok": True,
        "slots": [{"slot": "finish", "ok": True, "text": "finished: exit code 0"}],
    }
    assert daemon.slot("finish")["next_due"] == following
    assert runs_of(project, "finish", 3) == [("operator", "finished")] * 3
    assert runs_of(project, "crash", 2) == [("operator", "error"), ("retry", "error")]
    rows = Operation.objects.using(project.jobs.db).filter(verb="trigger")
    eventually(lambda: rows.exclude(result="").count() == 4, 30, "four audit rows")
    assert set(rows.values_list("job_name", "result")) >= {
        ("finish", "finish: finished: exit code 0"),
        ("crash", failed.stderr.strip()),
    }
    assert daemon.faults() == []


def test_a_wait_lasts_as_long_as_the_run_and_the_audit_knows_of_it_before(
    project: Project, daemon: Daemon, tmp_path: Path
) -> None:
    add_until_told(project, tmp_path / "go")
    daemon.start()
    asked = begin_triggered(project, "told", "--wait")
    try:
        daemon.wait_event("child.born", job="told")
        rows = Operation.objects.using(project.jobs.db).filter(verb="trigger")
        eventually(lambda: list(rows.values_list("result", flat=True)) == ["asked for; the runs go on"], 30, "a row")
        again = trigger(project, "told")
        pid = daemon.slot("told")["pid"]
        assert (again.returncode, again.stderr) == (
            FAILED,
            f"told: it is running with pid {pid}, and its row's overlap is “skip”\n",
        )
        assert asked.poll() is None
        (tmp_path / "go").touch()
        out, _ = asked.communicate(timeout=60)
    finally:
        asked.kill()
        asked.wait()

    assert (asked.returncode, out) == (DONE, "told: finished: exit code 0\n")
    eventually(lambda: rows.filter(result="told: finished: exit code 0").exists(), 30, "the result")
    assert runs_of(project, "told", 1) == [("operator", "finished")]


def test_what_a_job_is_not_run_for_is_said(project: Project, daemon: Daemon) -> None:
    """Cases 65 and 66."""
    project.add_job("idle")
    project.add_job("finish", enabled=False, **NIGHTLY)
    daemon.start()

    always, disabled, unknown = (trigger(project, name) for name in ("idle", "finish", "finsh"))

    assert {done.returncode for done in (always, disabled, unknown)} == {FAILED}
    assert always.stderr == "idle: it has no schedule, so that it runs always: “restart” starts it anew\n"
    assert disabled.stderr == "finish: it is disabled: enable its row, or run it here with “workerd once”\n"
    assert "Did you mean “finish”?" in unknown.stderr
    assert project.runs.filter(job_name="finish").count() == 0


def test_a_run_by_its_schedule_is_told_from_others(project: Project, daemon: Daemon) -> None:
    """Case 75; and its line in the log says how late it was."""
    project.add_job("finish", **{**NIGHTLY, "schedule": "every 10 s"})
    daemon.start()
    born = daemon.wait_event("child.born", job="finish", within=30)
    daemon.wait_event("child.exited", job="finish")

    assert born["trigger"] == "schedule"
    assert 0 <= born["late_s"] < 10
    first, *_ = runs_of(project, "finish", 1)
    assert first == ("schedule", "finished")


def test_status_says_when_a_job_is_due(project: Project, daemon: Daemon, tmp_path: Path) -> None:
    project.add_job("idle")
    add_until_told(project, tmp_path / "go")
    project.add_job("finish", **NIGHTLY)
    daemon.start()
    daemon.wait_state("idle", "RUNNING")
    assert trigger(project, "told").returncode == DONE
    daemon.wait_state("told", "RUNNING")

    text = project.manage("workerd", "status").stdout
    lines = {line.split()[0]: line for line in text.splitlines()[1:] if line}
    picture = {slot["name"]: slot for slot in daemon.status()["slots"]}

    assert lines["slots:"] == "slots: 2 running, 1 resting until its time"
    assert "  due in " in lines["finish"]
    assert lines["finish"].endswith("02:30 UTC")
    assert "its time" not in lines["finish"]
    assert "  due again in " in lines["told"]
    assert not lines["told"].endswith(":")
    assert (picture["finish"]["resting"], picture["told"]["resting"], picture["idle"]["resting"]) == (
        True,
        False,
        False,
    )
    assert picture["finish"]["schedule"] == NIGHTLY["schedule"]
    assert picture["finish"]["next_due"] == picture["finish"]["next_start"]


def test_a_reload_lets_a_scheduled_run_end_on_its_code_and_says_so(
    project: Project, daemon: Daemon, tmp_path: Path
) -> None:
    add_until_told(project, tmp_path / "go")
    project.add_job("idle")
    daemon.start()
    daemon.wait_state("idle", "RUNNING")
    assert trigger(project, "told").returncode == DONE
    pid = daemon.wait_state("told", "RUNNING")["pid"]

    done = project.manage("workerd", "reload")

    assert (done.returncode, done.stderr) == (DONE, "")
    assert done.stdout.splitlines()[1:] == [
        "1 scheduled run finishes with the code before: told (generation 1)",
    ]
    assert daemon.slot("told")["pid"] == pid
    assert daemon.slot("idle")["generation"] == 2
    (tmp_path / "go").touch()
    assert runs_of(project, "told", 1) == [("operator", "finished")]
    assert trigger(project, "told", "--wait").returncode == DONE
    assert runs_of(project, "told", 2) == [("operator", "finished")] * 2
    assert list(project.runs.filter(job_name="told").order_by("born").values_list("generation", flat=True)) == [1, 2]
    assert daemon.faults() == []


def test_a_restart_of_everything_and_a_start_begin_no_scheduled_run(
    project: Project, daemon: Daemon, tmp_path: Path
) -> None:
    add_until_told(project, tmp_path / "go")
    project.add_job("finish", **NIGHTLY)
    project.add_job("idle")
    daemon.start()
    daemon.wait_state("idle", "RUNNING")
    assert trigger(project, "told").returncode == DONE
    pid = daemon.wait_state("told", "RUNNING")["pid"]

    restarted = daemon.ask({"verb": "restart", "all": True}, within=30)
    stopped = daemon.ask({"verb": "stop", "names": ["finish"]})
    started = daemon.ask({"verb": "start", "names": ["finish"]})

    assert restarted["ok"], restarted
    assert stopped["ok"]
    assert started["slots"][0]["ok"]
    assert started["slots"][0]["text"].startswith("WAITING: its time: ")
    assert daemon.slot("told")["pid"] == pid
    assert daemon.events("child.born", job="finish") == []


def test_once_runs_a_scheduled_row_once_in_the_foreground(project: Project) -> None:
    project.add_job("say_hello", target="hello.say", **NIGHTLY)
    write_module(project, "hello", "from workerd import job\n@job\ndef say(context):\n    print('hello')\n")
    project.settings["PRELOAD"] = ["hello"]

    done = project.manage("workerd", "once", "say_hello")

    assert (done.returncode, done.stdout) == (DONE, "hello\n")
    assert project.runs.count() == 0

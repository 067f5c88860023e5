"""The end of a process that takes long: within the stop's deadline, watched, explained, and nobody else's trouble."""

import os
import signal

import pytest

from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]

ENDINGS = "tests.process.bad_jobs.endings"


@pytest.fixture
def beside(project: Project, daemon: Daemon) -> int:
    """The pid of another job, which must go on."""
    project.settings["TARGETS"] = [f"{ENDINGS}.*"]
    project.add_job("idle")
    daemon.start()
    return daemon.child_pid("idle")


@pytest.mark.parametrize(
    ("ending", "where"),
    [
        ("leave_a_thread", "_shutdown"),
        ("leave_an_exit_function", "in wait"),
        ("leave_ten_thousand_threads", "in wait"),  # Python shows a hundred of them
    ],
)
def test_an_end_that_never_comes_is_cut_short_and_shows_what_held_it_up(
    project: Project, daemon: Daemon, beside: int, ending: str, where: str
) -> None:
    project.add_job("ends", target=f"{ENDINGS}.{ending}", stop_timeout=0.5, restart="never")
    daemon.wait_event("child.ready", job="ends", within=30)

    project.edit_job("ends", enabled=False)

    ended = daemon.wait_event("child.exited", job="ends", within=30)
    assert ended["outcome"] == "killed"
    assert where in daemon.wait_event("child.stack", job="ends")["stack"]
    assert daemon.child_pid("idle") == beside
    assert daemon.faults() == []


def test_an_end_that_gives_no_sign_of_life_is_a_hang(project: Project, daemon: Daemon, beside: int) -> None:
    project.add_job(
        "ends", target=f"{ENDINGS}.leave_a_thread", heartbeat_timeout=0.5, stop_timeout=0.5, restart="never"
    )

    hung = daemon.wait_event("child.hung", job="ends")

    assert hung["timeout_s"] == 0.5
    assert daemon.wait_event("child.exited", job="ends")["outcome"] == "hung"
    assert daemon.child_pid("idle") == beside


def test_work_in_hand_at_a_stop_is_done(project: Project, daemon: Daemon, beside: int) -> None:
    project.add_job("ends", target=f"{ENDINGS}.leave_work_in_hand", stop_timeout=10, restart="never")
    daemon.wait_event("child.ready", job="ends")

    project.edit_job("ends", enabled=False)

    ended = daemon.wait_event("child.exited", job="ends")
    assert (ended["outcome"], ended["exit_code"]) == ("stopped", 0)
    assert [event["line"] for event in daemon.events("child.output", job="ends")] == ["the work is done"]
    assert daemon.child_pid("idle") == beside


def test_a_fork_of_the_load_that_goes_on_loading_serves_nobody(project: Project, daemon: Daemon) -> None:
    write_module(project, "forking", "import os\nos.fork()\n")
    project.settings["PRELOAD"] = ["forking"]
    project.add_job("idle", processes=4)

    daemon.start()

    eventually(lambda: "Fork in a receiver of child_started" in daemon.log.text(), 20, "the fork's end")
    for index in range(4):
        os.kill(daemon.child_pid(f"idle:{index}"), signal.SIGKILL)
    assert len(daemon.wait_events("child.ready", 8, job="idle", within=20)) == 8
    assert daemon.faults() == []


def test_a_load_that_becomes_a_daemon_of_its_own_is_rejected(project: Project, daemon: Daemon) -> None:
    write_module(project, "forking", "")
    project.settings["PRELOAD"] = ["forking"]
    project.add_job("idle")
    daemon.start()
    before = daemon.child_pid("idle")
    write_module(project, "forking", "import os\nif os.fork():\n    os._exit(0)\nos.setsid()\n")

    done = project.manage("workerd", "reload")

    assert done.returncode == 1
    assert "it ended before it was ready (exit code 0)" in done.stdout + done.stderr
    assert daemon.child_pid("idle") == before


def test_a_logging_that_does_not_configure_is_rejected_with_its_error(project: Project, daemon: Daemon) -> None:
    write_module(project, "odd_settings", "from tests.process.jobs_settings import *\n")
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "odd_settings"
    project.add_job("idle")
    daemon.start()
    before = daemon.child_pid("idle")
    write_module(
        project,
        "odd_settings",
        "from tests.process.jobs_settings import *\n"
        "LOGGING = {'version': 1, 'handlers': {'h': {'class': 'no.such.Handler'}}, 'root': {'handlers': ['h']}}\n",
    )

    daemon.signal(signal.SIGHUP)

    daemon.wait_event("forkserver.rejected")
    assert "Unable to configure handler" in daemon.log.text()
    assert daemon.child_pid("idle") == before

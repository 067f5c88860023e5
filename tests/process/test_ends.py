"""The end of a process that takes long: within the stop's deadline, watched, explained, and nobody else's trouble."""

import os
import signal

import pytest

from tests.django.end_stories import STORIES
from tests.django.test_child_run import run_plainly
from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]

ENDINGS = "tests.process.bad_jobs.endings"
STORIES_OF_ENDS = "tests.django.end_stories"


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


def test_the_database_answers_until_the_end_and_each_session_is_closed_after_it(
    project: Project, daemon: Daemon, beside: int
) -> None:
    project.add_job("ends", target=f"{ENDINGS}.ask_until_the_end", restart="never")

    daemon.wait_event("child.exited", job="ends", outcome="finished")

    kinds = ("child.output", "connection.opened", "connection.closed")
    said = [event.get("line") or event["event"] for event in daemon.events(job="ends") if event["event"] in kinds]
    assert said.count("asked 0") == 3
    assert said.count("connection.opened") == 2
    # SQLite's session of a thread that has ended is collected, of which no event tells
    assert said.count("connection.closed") in ({1, 2} if project.databases.backend.vendor == "sqlite" else {2})
    assert said[-1] == "connection.closed"
    assert daemon.child_pid("idle") == beside


def test_under_the_daemon_each_process_ends_as_plain_python_does(project: Project, daemon: Daemon) -> None:
    """Also what it forks, whose last frames are those of the forkserver."""
    project.settings["TARGETS"] = [f"{STORIES_OF_ENDS}.*"]
    for story in STORIES:
        project.add_job(story, target=f"{STORIES_OF_ENDS}.{story}", restart="never")
    daemon.start()

    for story in STORIES:
        ended = daemon.wait_event("child.exited", job=story, within=60)
        code = -signal.Signals[ended["signal"]] if "signal" in ended else ended["exit_code"]
        said = [str(event.get("line", event["event"])) for event in daemon.events(job=story)]
        plain = run_plainly(STORIES_OF_ENDS, story)
        expected = (plain.stdout + plain.stderr).splitlines()
        assert (story, code, said_lines(said)) == (story, plain.returncode, said_lines(expected))
    assert daemon.faults() == []


def said_lines(lines: list[str]) -> list[str]:
    return sorted(line for line in lines if line.startswith(">"))


def test_a_fork_of_the_load_that_goes_on_loading_serves_nobody(project: Project, daemon: Daemon) -> None:
    write_module(project, "forking", "import os\nos.fork()\n")
    project.settings["PRELOAD"] = ["forking"]
    project.add_job("idle", processes=4)

    daemon.start()

    eventually(lambda: "Fork in a receiver of child_started" in daemon.log.text(), 30, "the fork's end")
    for index in range(4):
        os.kill(daemon.child_pid(f"idle:{index}"), signal.SIGKILL)
    assert len(daemon.wait_events("child.ready", 8, job="idle", within=30)) == 8
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
    eventually(lambda: "Unable to configure handler" in daemon.log.text(), 30, "the error in the log")
    assert daemon.child_pid("idle") == before


SPEAKING = """
def speak():
    print("out")
    print("error", file=sys.stderr)
    logging.getLogger("shop").error("logged")
"""
STREAMS = {
    "in memory": "sys.stdout = sys.stderr = io.StringIO()",
    "none": "sys.stdout = sys.stderr = None",
    "raising": "sys.stdout = sys.stderr = type('Broken', (), {'__getattr__': lambda self, name: 1 // 0})()",
    "wrapped": "sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding='latin-1')",
    "of its own": "sys.stdout, sys.stderr = os.fdopen(1, 'w', 1), os.fdopen(2, 'w', 1)",
    "closed": "sys.stdout.close(); sys.stderr.close()",
    "closed descriptors": "os.closerange(0, 3)",
    "other descriptors": "for number in (1, 2): os.dup2(os.open(os.devnull, os.O_WRONLY), number)",
}


@pytest.mark.parametrize("code", STREAMS.values(), ids=STREAMS)
def test_a_load_that_replaces_its_streams_costs_no_job_its_own(project: Project, daemon: Daemon, code: str) -> None:
    write_module(project, "streams", f"import io, logging, os, sys\n{code}\n{SPEAKING}")
    project.settings |= {"PRELOAD": ["streams"], "TARGETS": ["streams.*"]}
    project.add_job("speak", target="streams.speak", restart="never")
    project.add_job("idle", processes=3)

    daemon.start()
    ended = daemon.wait_event("child.exited", job="speak")

    assert (ended["outcome"], ended["exit_code"]) == ("finished", 0)
    printed = {(event["stream"], event["line"]) for event in daemon.events("child.output", job="speak")}
    assert printed == {("stdout", "out"), ("stderr", "error")}
    assert daemon.events("logged", level="error", job="speak")
    assert project.manage("workerd", "reload").returncode == 0
    assert len(daemon.wait_events("child.ready", 6, job="idle")) == 6
    assert daemon.faults() == []

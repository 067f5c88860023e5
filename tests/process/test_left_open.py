"""What a project leaves running or open as it is loaded: named at the start, and no child suffers from it."""

import os
import re
import signal
import socket
from collections.abc import Iterator

import pytest

from tests.harness.backends.server import free_port
from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.processes import Process
from tests.harness.project import JOBS_SETTINGS, Project

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]

LOADED = """
import atexit, logging.handlers, queue, random, socket, subprocess, threading
from django.db import connection

waiting = threading.Event()
threading.Thread(target=waiting.wait, name="ticker", daemon=True).start()
helper = subprocess.Popen(["sleep", "1000"])
atexit.register(helper.kill)
listening = socket.create_server(("127.0.0.1", {free}))
talking = socket.create_connection(("127.0.0.1", {taken}))
dice = random.Random()
connection.ensure_connection()

records = queue.Queue()
listener = logging.handlers.QueueListener(records, logging.StreamHandler())
listener.start()
atexit.register(listener.stop)
logger = logging.getLogger("queued")
logger.propagate = False
logger.addHandler(logging.handlers.QueueHandler(records))
logging.getLogger("unread").addHandler(logging.handlers.QueueHandler(queue.Queue()))

def report():
    logger.warning("through the queue")
    try:
        said = talking.recv(100)
    except OSError as error:
        said = error
    print("read", said)
"""


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """A server that says something to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_each_thing_is_named_and_no_child_shares_it(project: Project, daemon: Daemon, peer: socket.socket) -> None:
    free, taken = free_port(), peer.getsockname()[1]
    broker = f"CELERY_BROKER_URL = 'redis://127.0.0.1:{taken}/0'\n"
    write_module(project, "broker_settings", f"from {JOBS_SETTINGS} import *\n{broker}")
    write_module(project, "loaded", LOADED.format(free=free, taken=taken))
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "broker_settings"
    project.settings |= {"PRELOAD": ["loaded"], "TARGETS": ["loaded.*"]}
    project.add_job("report", target="loaded.report", restart="never")
    daemon.start()
    with peer.accept()[0] as talking:
        talking.send(b"for one only")
        event = daemon.wait_event("project.left_open")
        daemon.wait_event("child.exited", job="report")
    [helper] = re.findall(r"The process (\d+) \(sleep\)", "\n".join(event["found"]))
    assert Process.look(int(helper)), "an exit function of the load has ended it in the child"

    text = "\n".join(event["found"])
    for words in (
        "The thread “ticker” (threading.Event.wait) runs",
        "of a logging queue: each process of a job starts its own",
        "(sleep) was started while the project is loaded",
        f"The socket that listens at 127.0.0.1:{free}",
        f"The connection to the broker of CELERY_BROKER_URL at 127.0.0.1:{taken}",
        "The logger “unread” writes into a queue, and no QueueListener reads it",
        "The session with the database “default” is closed before a fork",
        "what the project reads while it is loaded stays as it is until the next reload",
        "The random generator loaded.dice",
    ):
        assert words in text, text
    printed = [line["line"] for line in daemon.events("child.output", job="report")]
    assert "through the queue" in daemon.log.text()
    assert not any("for one only" in line or "ignored" in line for line in printed), printed
    assert daemon.faults() == []

    daemon.stop()  # and with the daemon ends the helper: the fixture sees to that


def test_a_child_holds_no_port_of_the_load_when_the_forkserver_is_gone(project: Project, daemon: Daemon) -> None:
    free = free_port()
    write_module(project, "loaded", f"import socket\nlistening = socket.create_server(('127.0.0.1', {free}))\n")
    project.settings["PRELOAD"] = ["loaded"]
    project.add_job("idle")
    daemon.start()
    daemon.wait_event("child.ready", job="idle")
    first = daemon.picture()["daemon"]["forkserver_pid"]

    since = daemon.log.position
    os.kill(first, signal.SIGKILL)

    daemon.wait_event("forkserver.ready", since=since, within=30)
    assert daemon.picture()["daemon"]["forkserver_pid"] != first


SIGNALS = """
import signal
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGTERM})

def report():
    print(signal.getsignal(signal.SIGUSR1), sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
    print("told to stop:", signal.getsignal(signal.SIGINT) is not signal.SIG_IGN)
    signal.pause()
"""


def test_signals_are_in_a_process_as_in_a_fresh_one(project: Project, daemon: Daemon) -> None:
    write_module(project, "loaded", SIGNALS)
    project.settings |= {"PRELOAD": ["loaded"], "TARGETS": ["loaded.*"]}
    project.add_job("report", target="loaded.report")
    daemon.start()
    daemon.wait_event("child.output", line="told to stop: True")

    project.edit_job("report", enabled=False)

    assert daemon.wait_event("child.exited", job="report")["outcome"] == "stopped"
    assert daemon.events("child.output", line="0 []")


def test_a_reload_that_finds_its_port_taken_says_what_to_do(project: Project, daemon: Daemon) -> None:
    free = free_port()
    write_module(project, "loaded", f"import socket\nlistening = socket.create_server(('127.0.0.1', {free}))\n")
    project.settings["PRELOAD"] = ["loaded"]
    daemon.start()

    done = project.manage("workerd", "reload")

    assert done.returncode == 1
    assert "Address already in use" in done.stdout + done.stderr
    assert "in a receiver of child_started, not while it is loaded" in done.stdout + done.stderr


def test_check_finds_it_before_the_first_start(project: Project) -> None:
    free = free_port()
    write_module(project, "loaded", f"import socket\nlistening = socket.create_server(('127.0.0.1', {free}))\n")
    project.settings["PRELOAD"] = ["loaded"]

    done = project.manage("workerd", "check")

    assert done.returncode == 0, done.stdout
    assert f"warning: The socket that listens at 127.0.0.1:{free}" in done.stdout

"""What a project leaves running or open as it is loaded: named at the start, and no child suffers from it."""

import os
import re
import signal
import socket
from collections.abc import Iterator

import pytest

from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.processes import Process
from tests.harness.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]

LOADED = """
import atexit, logging.handlers, queue, random, socket, subprocess, threading

waiting = threading.Event()
threading.Thread(target=waiting.wait, name="ticker", daemon=True).start()
helper = subprocess.Popen(["sleep", "1000"])
atexit.register(helper.kill)
listening = socket.create_server(("127.0.0.1", {free}))
talking = socket.create_connection(("127.0.0.1", {taken}))
dice = random.Random()

records = queue.Queue()
listener = logging.handlers.QueueListener(records, logging.StreamHandler())
listener.start()
atexit.register(listener.stop)
logger = logging.getLogger("queued")
logger.propagate = False
logger.addHandler(logging.handlers.QueueHandler(records))

def report():
    logger.warning("through the queue")
    try:
        said = talking.recv(10)
    except OSError as error:
        said = error
    print("read", said)
"""


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """A server that says something to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_each_thing_is_named_and_no_child_shares_it(project: Project, daemon: Daemon, peer: socket.socket) -> None:
    free, taken = free_port(), peer.getsockname()[1]
    write_module(project, "loaded", LOADED.format(free=free, taken=taken))
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
        f"The connection to 127.0.0.1:{taken}",
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

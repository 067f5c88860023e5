"""A forkserver as the daemon knows it: what it says, how it ends, and when it is given up."""

import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from tests.harness.fakes import FakeClock, loop_of, recording_log, turn
from tests.harness.node import Node
from workerd.daemon.processes.forkserver import LOAD_PATIENCE_S, Forkserver, Listener
from workerd.daemon.rules.outcome import ExitStatus
from workerd.wire import WIRE_VERSION
from workerd.wire.config import DaemonConfig
from workerd.wire.messages import ForkserverReady

HANGS = "import time\ntime.sleep(3600)"


def test_a_project_that_is_still_not_imported_after_five_minutes_is_rejected_and_killed(tmp_path: Path) -> None:
    clock, (log, lines), rejected = FakeClock(), recording_log(), list[str]()
    loop = loop_of(clock)
    config = DaemonConfig("shop", str(tmp_path), "web1", "0", (sys.executable, "-c", HANGS), str(tmp_path), "json")
    listener = Listener(lambda _: None, lambda _, reason: rejected.append(reason), lambda *_: None)
    forkserver = Forkserver(loop, log, config, resource.getrlimit(resource.RLIMIT_NOFILE), 1, listener)
    try:
        clock.advance(LOAD_PATIENCE_S - 1)
        turn(loop)
        assert rejected == []

        clock.advance(1)
        turn(loop)
        assert rejected == ["the project is not imported after 300 s"]
        assert lines.of("forkserver.rejected") == [{"generation": 1, "reason": rejected[0]}]
    finally:
        if not rejected:
            forkserver.kill()
        _, status = os.waitpid(forkserver.pid, 0)
        forkserver.stop()
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_a_forkserver_that_is_ready_says_how_long_it_loaded_and_how_many_jobs_there_are(node: Node) -> None:
    node.parts.generations.start()
    node.forkserver.say(ForkserverReady(WIRE_VERSION, 1, "0", 812.5, ["shop.jobs.a", "shop.jobs.b"]))
    node.turn()

    assert node.lines.of("forkserver.ready") == [
        {"generation": 1, "forkserver_pid": node.forkserver.pid, "load_ms": 812.5, "jobs": 2}
    ]


def test_a_forkserver_of_another_version_is_rejected_and_let_go(node: Node) -> None:
    node.parts.generations.start()
    node.forkserver.say(ForkserverReady(WIRE_VERSION + 1, 1, "0", 5.0))
    node.turn()
    node.forkserver.hear()

    assert node.parts.generations.trouble == ("it runs another version of workerd than the daemon: restart the service")
    assert node.forkserver.at_end


def test_what_it_printed_before_it_ended_is_told_with_its_rejection(node: Node) -> None:
    results: list[str] = []
    node.parts.generations.reload(results.append)
    node.forkserver.write("ImportError: no module named shop")
    node.end_forkserver(node.forkserver, code=1)
    [rejected] = node.lines.of("forkserver.rejected")

    assert rejected["reason"] == "it ended before it was ready (exit code 1): ImportError: no module named shop"
    assert "ImportError: no module named shop" in rejected["traceback"]


@pytest.mark.parametrize(
    ("cwd", "interpreter", "what"),
    [
        ("{}/gone", sys.executable, "{}/gone' (the daemon's working directory)"),
        ("{}", "{}/gone", "{}/gone' (the interpreter)"),
    ],
    ids=["working directory", "interpreter"],
)
def test_one_that_cannot_be_started_says_what_is_missing(tmp_path: Path, cwd: str, interpreter: str, what: str) -> None:
    """A release that was deleted: the daemon runs on, and its forkserver cannot be started anew."""
    (log, lines), rejected = recording_log(), list[str]()
    loop = loop_of()
    config = DaemonConfig(
        "shop", str(tmp_path), "web1", "0", (interpreter.format(tmp_path), "-c", ""), cwd.format(tmp_path), "json"
    )
    listener = Listener(lambda _: None, lambda _, reason: rejected.append(reason), lambda *_: None)
    forkserver = Forkserver(loop, log, config, resource.getrlimit(resource.RLIMIT_NOFILE), 1, listener)
    _, status = os.waitpid(forkserver.pid, 0)
    forkserver.bury(ExitStatus.from_wait(status))
    reason = f"it could not be started: [Errno 2] No such file or directory: '{what.format(tmp_path)}"

    assert rejected == [reason]
    assert lines.of("forkserver.rejected") == [{"generation": 1, "reason": reason}]


def test_nonsense_from_a_forkserver_is_logged_and_ignored(node: Node) -> None:
    node.parts.generations.start()
    node.forkserver.write_nonsense()
    node.forkserver.become_ready()
    node.turn()
    [violated] = node.lines.of("protocol.violated")

    assert violated["reason"].startswith("a message from the forkserver was ignored: ")
    assert node.parts.generations.current is not None


def test_a_forkserver_that_hangs_up_starts_no_more_processes(node: Node) -> None:
    node.parts.generations.start()
    node.forkserver.become_ready()
    node.turn()
    node.forkserver.close()
    node.turn()

    assert node.parts.generations.current is None

"""One run of a case's command, plainly or under workerd, with work in hand when it is told to end."""

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.harness.backends.server import ending_with_us
from tests.harness.daemon import Daemon
from tests.harness.waiting import TooLateError, eventually

from .observation import Observation
from .output import exit_of, read_events, read_plain
from .stage import Stage

JOB = "command"
WORK_WITHIN_S, END_WITHIN_S, HANDLER_WITHIN_S = 40.0, 30.0, 1.0


def run_plain(stage: Stage, number: int = signal.SIGTERM) -> Observation:
    """Run ``manage.py COMMAND``, as a shell or supervisor does; send ``number`` while it works."""
    with _work_beforehand(stage), _started(stage) as process, work_in_hand(stage, lambda: process.poll() is None):
        _wait_for_handler(process.pid, number)
        began = time.monotonic()
        os.kill(process.pid, number)
        code = process.wait(END_WITHIN_S)
        seconds = time.monotonic() - began
    texts = stage.texts().items()
    said = [line for stream, text in texts for line in read_plain(text, stream, stage.noise)]
    return Observation(exit_of(code), stage.deeds(), stage.remains(), tuple(said), seconds)


def _wait_for_handler(pid: int, number: int) -> None:
    """Give a command the time to catch the signal, if it does: huey has begun a task before that."""
    deadline = time.monotonic() + HANDLER_WITHIN_S
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/status").read_text()
        if int(status.partition("SigCgt:")[2].split()[0], 16) >> (number - 1) & 1:
            return
        time.sleep(0.01)


def run_under(stage: Stage, daemon: Daemon) -> Observation:
    """Run a row with the command, and stop it while it works."""
    daemon.start()
    with _work_beforehand(stage):
        stage.project.add_job(JOB, command=stage.command, stop_timeout=END_WITHIN_S - 5, backoff_initial=60)
        with work_in_hand(stage, lambda: not daemon.events("child.exited", job=JOB)):
            began = time.monotonic()
            # Not by an edit of the row, which would wait for the locks of a job in a transaction.
            daemon.ask({"verb": "stop", "names": [JOB]}, END_WITHIN_S)
            event = daemon.wait_event("child.exited", within=END_WITHIN_S, job=JOB)
            seconds = time.monotonic() - began
    remains = stage.remains(daemon.pid)
    said = read_events(daemon.events(), stage.noise)
    daemon.stop()
    code = -signal.Signals[event["signal"]] if event.get("signal") else int(event["exit_code"])
    return Observation(exit_of(code), stage.deeds(), remains, tuple(said), seconds)


@contextlib.contextmanager
def _started(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    words = [*stage.project.command, *shlex.split(stage.command)]
    with stage.path("stdout").open("wb") as out, stage.path("stderr").open("wb") as err:
        process = subprocess.Popen(
            ending_with_us(words),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=stage.project.env,
            cwd=stage.folder,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _work_beforehand(stage: Stage) -> Iterator[None]:
    if stage.case.beforehand:
        _hand_out(stage).communicate(timeout=WORK_WITHIN_S)
    yield


@contextlib.contextmanager
def work_in_hand(stage: Stage, is_running: Callable[[], bool]) -> Iterator[None]:
    """Hand out work, and go on when the short piece is done and the long one has begun."""
    handing = None if stage.case.beforehand else _hand_out(stage)
    try:
        _wait_for_work(stage, is_running, handing)
        yield
    finally:
        if handing is not None:
            handing.communicate(timeout=WORK_WITHIN_S)


def _wait_for_work(stage: Stage, is_running: Callable[[], bool], handing: "subprocess.Popen[str] | None") -> None:
    def is_in_hand() -> bool:
        if not is_running():
            raise RuntimeError(f"the command ended before it was asked to:\n{stage.texts()}")
        if handing is not None and handing.poll():
            raise RuntimeError(f"the work was not handed out: {handing.communicate()[1]}")
        deeds = {" ".join(deed.split()[:2]) for deed in stage.deeds()}
        if not deeds.isdisjoint({"done long", "cut long"}):
            raise RuntimeError(f"nothing is in hand any more: {stage.deeds()}")
        return {"done short", "began long"} <= deeds

    try:
        eventually(is_in_hand, WORK_WITHIN_S, "work in hand")
    except TooLateError as error:
        error.add_note(f"{stage.deeds()}\n{stage.texts()}")
        raise


def _hand_out(stage: Stage) -> "subprocess.Popen[str]":
    words = [*stage.project.command, "enqueue", "short=0", f"long={stage.case.long_s}"]
    return subprocess.Popen(
        words, env=stage.project.env, cwd=stage.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )

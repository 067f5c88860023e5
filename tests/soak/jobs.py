"""The job that does what a file tells it to: whatever can go wrong in a child."""

import ctypes
import mmap
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from workerd import JobContext, job

from . import evidence
from .evidence import FOLDER

NOISE_S = 1.5


@job
def misbehave(context: JobContext) -> None:
    """Look for an order, and carry it out."""
    order = Path(os.environ[FOLDER]) / f"order.{context.index}"
    for _ in context.every(0.05):
        if order.exists():
            behaviour = order.read_text().strip()
            order.unlink(missing_ok=True)
            BEHAVIOURS[behaviour](context)


@job
def tick(context: JobContext, seconds: float = 0.2) -> None:
    """Leave a line for the moment that it runs for, before and after its work."""
    assert context.due is not None
    for word in ("begin", "end"):
        evidence.note_due(context, word)
        if word == "begin" and context.wait(seconds):
            return


def order(folder: Path, index: int, behaviour: str) -> None:
    """Tell the job what to do; it is whole when it is there."""
    new = folder / f"order.{index}.new"
    new.write_text(behaviour)
    new.rename(folder / f"order.{index}")


def _exit(code: int) -> Callable[[JobContext], None]:
    return lambda _: os._exit(code)


def _raise(_: JobContext) -> None:
    raise RuntimeError("told to")


def _sleep(_: JobContext) -> None:
    time.sleep(3600)


def _spin(_: JobContext) -> None:
    while True:
        pass


def _hold_the_gil(_: JobContext) -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")


def _deadlock(_: JobContext) -> None:
    lock = threading.Lock()
    with lock, lock:
        pass


def _ignore_term(context: JobContext) -> None:
    until = time.monotonic() + 8
    while time.monotonic() < until:
        context.beat("deaf")
        time.sleep(0.05)


def _read_for_ever(_: JobContext) -> None:
    os.read(os.pipe()[0], 1)


def _leave_a_child(own_session: bool) -> Callable[[JobContext], None]:
    def leave(_: JobContext) -> None:
        subprocess.Popen(["sh", "-c", "sleep 3600 & wait"], start_new_session=own_session)
        os._exit(4)

    return leave


def _grow(at_once: bool) -> Callable[[JobContext], None]:
    def grow(context: JobContext) -> None:
        kept = []
        for turn in context.every(0.1):
            if turn == 0 or (not at_once and turn < 12):
                kept.append(b"x" * ((150 if at_once else 6) << 20))
            context.beat(f"{len(kept)} pieces")

    return grow


def _damage_the_page(_: JobContext) -> None:
    page = next(entry for entry in Path("/proc/self/fd").iterdir() if "workerd-page" in str(entry.resolve()))
    try:
        os.ftruncate(int(page.name), 0)
    except OSError:
        with mmap.mmap(int(page.name), 4096) as mapped:
            mapped[:] = b"\xff" * 4096
    os._exit(5)


def _flood(_: JobContext) -> None:
    for _number in range(100):
        sys.stdout.write("f" * 50_000 + "\n")


def _make_noise(piece: bytes) -> Callable[[JobContext], None]:
    """On both streams, as fast as they are read; the child is well, and says so."""

    def make(context: JobContext) -> None:
        until = time.monotonic() + NOISE_S
        while time.monotonic() < until:
            os.write(1, piece)
            os.write(2, piece)
            context.beat("noisy")
        os.write(1, b"\n")
        os.write(2, b"\n")

    return make


def _read_nowhere(_: JobContext) -> None:
    ctypes.string_at(0)


BEHAVIOURS: dict[str, Callable[[JobContext], None]] = {
    "exit 0": _exit(0),
    "exit 1": _exit(1),
    "exit 75": _exit(75),
    "exit 78": _exit(78),
    "exception": _raise,
    "segfault": _read_nowhere,
    "sleep for ever": _sleep,
    "spin": _spin,
    "hold the GIL": _hold_the_gil,
    "deadlock": _deadlock,
    "blocked read": _read_for_ever,
    "grandchild": _leave_a_child(False),
    "grandchild in its own session": _leave_a_child(True),
    "grow slowly": _grow(False),
    "grow at once": _grow(True),
    "damage the page": _damage_the_page,
    "fill the pipe": _flood,
    "ignore TERM": _ignore_term,
    "noise of short lines": _make_noise(b"x\n" * 2048),
    "noise of long lines": _make_noise(b"y" * 200_000 + b"\n"),
    "noise of half lines": _make_noise("50 %\r half a line, é".encode()[:-1]),
}

"""Jobs that do one thing each, mostly a bad one. Targets of the process tests."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from workerd import JobContext, job

from . import output  # noqa: F401 - its jobs register themselves


@job
def idle(context: JobContext) -> None:
    """Waits until asked to stop."""
    context.wait()


@job
def count(context: JobContext, every: float = 0.05) -> None:
    """Leaves a mark in the database each turn."""
    from .models import Mark

    for turn in context.every(every):
        Mark.objects.create(job=context.job_name, pid=os.getpid(), text=str(turn))


@job
def mark_and_stay(context: JobContext, text: str = "") -> None:
    """Leaves one mark, and its connection open, and waits."""
    from .models import Mark

    Mark.objects.create(job=context.job_name, pid=os.getpid(), text=text)
    context.wait()


@job
def write_pid(context: JobContext, path: str) -> None:
    """Writes its pid to a file and waits."""
    _write(path, os.getpid())
    context.wait()


@job
def ready_when_told(context: JobContext, path: str) -> None:
    """Says that it is ready once a file exists."""
    while not Path(path).exists():
        if context.wait(0.01):
            return
    context.ready()
    context.wait()


@job
def finish(context: JobContext) -> None:
    """Returns at once."""


@job
def ask_to_be_replaced(context: JobContext) -> None:
    """Asks for a successor soon after its start."""
    context.wait(0.1)
    context.recycle()
    context.wait()


@job
def crash(context: JobContext, after: float = 0, message: str = "crashed on purpose") -> None:
    """Raises."""
    context.wait(after)
    raise RuntimeError(message)


@job
def crash_when_told(context: JobContext, path: str, message: str = "crashed on purpose") -> None:
    """Raises once a file exists."""
    while not Path(path).exists():
        if context.wait(0.01):
            return
    raise RuntimeError(message)


@job
def leave(context: JobContext, code: int = 1, after: float = 0) -> None:
    """Leaves by SystemExit with a code."""
    context.wait(after)
    sys.exit(code)


@job
def leave_at_once(context: JobContext, code: int = 1) -> None:
    """Leaves by os._exit, past every clean-up."""
    os._exit(code)


@job
def die(context: JobContext, number: int = signal.SIGKILL, after: float = 0) -> None:
    """Sends itself a signal."""
    context.wait(after)
    os.kill(os.getpid(), number)
    time.sleep(60)


@job
def interrupt_itself(context: JobContext) -> None:
    """Ends by a KeyboardInterrupt that nobody has asked for."""
    raise KeyboardInterrupt


@job
def hang(context: JobContext, note: str = "about to hang") -> None:
    """Gives no sign of life any more, asleep."""
    context.beat(note)
    time.sleep(3600)


@job
def spin(context: JobContext) -> None:
    """Gives no sign of life any more, busy."""
    while True:
        pass


@job
def crash_without(context: JobContext, path: str) -> None:
    """Raises where the file is not there, and waits where it is."""
    if not Path(path).exists():
        raise FileNotFoundError(path)
    context.wait()


@job
def freeze(context: JobContext) -> None:
    """Stops itself, as a debugger would."""
    os.kill(os.getpid(), signal.SIGSTOP)
    context.wait()


@job
def ignore_stop(context: JobContext) -> None:
    """Beats, and never asks whether it should stop."""
    while True:
        context.beat("not listening")
        time.sleep(0.01)


@job
def stop_slowly(context: JobContext, takes: float = 0.5) -> None:
    """Takes its time to stop."""
    context.wait()
    time.sleep(takes)


@job
def stop_when_let(context: JobContext, path: str) -> None:
    """Stops when it is asked to and ``path`` is there."""
    context.wait()
    while not Path(path).exists():
        time.sleep(0.01)


@job
def say(context: JobContext, text: str = "hello", times: int = 1, end: str = "\n", where: str = "stdout") -> None:
    """Prints, and waits."""
    stream = getattr(sys, where)
    for _ in range(times):
        print(text, end=end, file=stream, flush=True)
    context.wait()


@job
def recite(context: JobContext, numbers: int, width: int = 1) -> None:
    """Prints the numbers from 0, one a line, each as wide as asked for, and waits."""
    for number in range(numbers):
        print(f"{number:0{width}}")
    context.beat("recited")
    context.wait()


@job
def log(context: JobContext, event: str = "bad_job.spoke", **fields: Any) -> None:
    """Logs through the context's logger, and waits."""
    context.log.info(event, **fields)
    context.wait()


@job
def eat(context: JobContext, mib: int = 100, step: int = 10, every: float = 0.05) -> None:
    """Grows."""
    eaten: list[bytearray] = []
    for _ in context.every(every):
        if len(eaten) * step < mib:
            eaten.append(bytearray(os.urandom(1) * (step << 20)))


@job
def write_note(context: JobContext, note: str) -> None:
    """Beats with a note, and waits."""
    context.beat(note)
    context.wait()


@job
def have_child(context: JobContext, path: str) -> None:
    """Starts a process of its own, writes its pid to a file, and waits."""
    child = subprocess.Popen(["sleep", "3600"])
    _write(path, child.pid)
    context.wait()


@job
def have_daemonised_child(context: JobContext, path: str) -> None:
    """Starts a process that leaves its group and session, writes its pid to a file, and waits."""
    child = subprocess.Popen(["sleep", "3600"], start_new_session=True)
    _write(path, child.pid)
    context.wait()


@job
def have_thread(context: JobContext) -> None:
    """Has a thread that never ends."""
    threading.Thread(target=time.sleep, args=(3600,), name="endless", daemon=True).start()
    context.wait()


@job
def recycle_once(context: JobContext, after: float = 0) -> None:
    """Asks for a successor."""
    context.wait(after)
    context.recycle()
    context.wait()


@job
def follow_processes(context: JobContext) -> None:
    """Says how many processes are wanted, each time that changes."""
    known = None
    for _ in context.every(0.02):
        if context.processes != known:
            known = context.processes
            context.log.info("bad_job.processes", wanted=known)


@job
async def idle_async(context: JobContext) -> None:
    """Waits in an event loop until asked to stop."""
    await context.await_stop()


@job
async def count_async(context: JobContext, every: float = 0.05) -> None:
    """Leaves a mark in the database each turn, from an event loop."""
    from .models import Mark

    async for turn in context.aevery(every):
        await Mark.objects.acreate(job=context.job_name, pid=os.getpid(), text=str(turn))


@job
def count_in_a_thread(context: JobContext, every: float = 0.05) -> None:
    """Leaves a mark in the database each turn, from a thread that is still there when the job ends."""
    from .models import Mark

    def work() -> None:
        for turn in itertools.count():
            Mark.objects.create(job=context.job_name, pid=os.getpid(), text=str(turn))
            time.sleep(every)

    threading.Thread(target=work, daemon=True).start()
    context.wait()


def _write(path: str, number: int) -> None:
    """Write whole or not at all: the test reads as soon as the file is there."""
    temporary = Path(f"{path}.new")
    temporary.write_text(str(number))
    temporary.rename(path)

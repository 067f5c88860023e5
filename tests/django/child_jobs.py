"""What the children of ``test_child_run`` run."""

import asyncio
import atexit
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import CommandError, get_commands
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from django.dispatch import receiver

from workerd import JobContext, job
from workerd.signals import child_started, child_stopping


def say(text: object) -> None:
    print(text, flush=True)


@job
def idle(context: JobContext) -> None:
    say("idle")
    say(f"stopped: {context.wait()}")


@job
def turns(context: JobContext) -> None:
    for _ in context.every(3600):
        say("idle")
    say("stopped: True")


@job
async def async_idle(context: JobContext) -> None:
    say("idle")
    say(f"stopped: {await context.await_stop()}")


@job
async def async_flag(context: JobContext) -> None:
    """Looks at the flag alone; the loop sleeps long."""
    say("idle")
    sleep = asyncio.ensure_future(asyncio.sleep(3600))
    while not context.stopping:  # noqa: ASYNC110 - the flag is what is tested
        await asyncio.sleep(0.001)
    sleep.cancel()
    say("stopped: True")


@job
def threaded(context: JobContext) -> None:
    """Waits in a thread, while the main thread joins it."""
    say("idle")
    thread = threading.Thread(target=lambda: say(f"stopped: {context.wait()}"))
    thread.start()
    thread.join()


@contextmanager
def cleaning_up() -> Iterator[None]:
    try:
        yield
    finally:
        say("stopped: True")


def plain() -> None:
    with cleaning_up():
        say("idle")
        time.sleep(3600)


def plain_slow_end() -> None:
    """Its clean-up takes as long as it takes, and a second signal must not interrupt it."""
    try:
        say("idle")
        time.sleep(3600)
    finally:
        say("ending")
        deadline = time.monotonic() + 0.2
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(left)
        say("stopped: True")


async def async_plain() -> None:
    with cleaning_up():
        say("idle")
        await asyncio.sleep(3600)


class Linger(BaseCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fail", type=int)
        parser.add_argument("--leave", type=int)

    def handle(self, *args: Any, fail: int | None, leave: int | None, **options: Any) -> None:
        if fail is not None:
            raise CommandError("could not", returncode=fail)
        if leave is not None:
            sys.exit(leave)
        with cleaning_up():
            self.stdout.write("idle")
            self.stdout.flush()
            time.sleep(3600)


get_commands()["linger"] = Linger()  # type: ignore[assignment]  # call_command takes an instance too


@job
def finish(context: JobContext, **kwargs: Any) -> None:
    say(kwargs)


class BrokenTextError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text either")


@job
def fail(context: JobContext, message: str = "wrong", times: int = 1, kind: str = "ValueError") -> None:
    """Raise ``message``, in which a backslash spells what no row may hold."""
    kinds: dict[str, type[Exception]] = {"ValueError": ValueError, "BrokenTextError": BrokenTextError}
    raise kinds[kind](message.encode().decode("unicode_escape") * times)


@job
async def async_fail(context: JobContext) -> None:
    raise ValueError("wrong")


@job
def leave(context: JobContext, code: Any = None) -> None:
    raise SystemExit(code)


@job
def fail_when_asked(context: JobContext) -> None:
    say("idle")
    context.wait()
    raise ValueError("while stopping")


@job
def announce(context: JobContext) -> None:
    context.ready()
    context.recycle()
    context.beat("working on 4711")
    say(context.processes)


@job
def speak(context: JobContext, length: int = 1) -> None:
    print("printed")
    print("to stderr", file=sys.stderr)
    context.log.info("spoke", text="x" * length, job="forged")
    logging.getLogger("shop").warning("a %s", "warning", extra={"order": 7})
    logging.getLogger("shop").warning("%d", "not a number")
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("shop").exception("caught")
    print("half a line", end="", flush=True)
    context.log.info("after half a line", surrogate="\ud800", nul="\0", odd={(1, 2): object})
    print("\x1e not a mark \udcff")


@job
def fail_in_a_thread(context: JobContext) -> None:
    def broken() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=broken, name="buyer")
    thread.start()
    thread.join()


@job
def query(context: JobContext) -> None:
    """Gives signs of life of its own only by a query."""
    say("idle")
    while not context.stopping:
        query_once()
        time.sleep(0.001)


def query_once() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@job
def pool(context: JobContext) -> None:
    """Has processes of its own, which a Pool ends by TERM."""
    with multiprocessing.get_context("fork").Pool(2) as workers:
        say(sorted(workers.map(abs, [-2, -1])))
    say("ended")


@job
def busy_forks(context: JobContext) -> None:
    """Does nothing any more, while what it forks gives every sign of life that there is."""
    say("idle")
    forks = [fork_busy_process(context), fork_busy_process(context, of_a_fork=True)]
    while not context.stopping:
        time.sleep(0.001)
    for pid in forks:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def fork_busy_process(context: JobContext, of_a_fork: bool = False) -> int:
    if (pid := os.fork()) == 0:
        if of_a_fork:
            fork_busy_process(context)
        parent = os.getppid()
        for number in range(10_000):
            query_once()
            context.beat("of a fork", within=7)
            context.log.info("of a fork")
            context.wait(0.001)
            say(f"forks {number}")
            if os.getppid() != parent:
                break
        os._exit(0)
    return pid


@job
def fork_and_fail(context: JobContext) -> None:
    """What it forks fails, and must not speak to the daemon in its name."""
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        say(f"fork: {os.waitstatus_to_exitcode(status)}")
    else:
        raise ValueError("in a fork")


@job
def signal_self(context: JobContext, numbers: list[int] | None = None) -> None:
    for number in numbers or []:
        os.kill(os.getpid(), number)
    say(f"stopped: {context.wait(3600)}")


@receiver(child_started)
def started(context: JobContext, **kwargs: Any) -> None:
    if context.job_name == "announced":
        say(f"started {context.run_id}")


@receiver(child_stopping)
def stopping(context: JobContext, exit_code: int, **kwargs: Any) -> None:
    if context.job_name == "announced":
        say(f"stopping {exit_code}")
        raise RuntimeError("a receiver that fails")


@job
def announced_fork(context: JobContext) -> None:
    """What it forks leaves through our frames, and must not send the job's signals."""
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        say(f"fork: {os.waitstatus_to_exitcode(status)}")
    else:
        sys.exit(4)


_folder = tempfile.TemporaryDirectory()
_goodbyes: list[str] = []
atexit.register(lambda: print(*_goodbyes, end="" if not _goodbyes else "\n", flush=True))


def find_folder_of_the_load() -> None:
    say(f"{os.path.isdir(_folder.name)} {os.path.dirname(_folder.name)}")  # noqa: PTH112, PTH120


def say_goodbye_later() -> None:
    _goodbyes.append("goodbye")


def leave_work_in_hand() -> None:
    """Return, and leave a thread that begins when the main thread waits for it, and takes a second."""

    def work() -> None:
        while threading.main_thread().is_alive():
            time.sleep(0.001)
        say("at work")
        time.sleep(1.0)
        say("done")

    threading.Thread(target=work).start()


def heal() -> None:
    """Meet an error on a connection, outside of any turn, and ask again."""
    connection.ensure_connection()
    before, connection.errors_occurred = connection.connection, True
    query_once()
    say(f"anew: {connection.connection is not before}")


class Heal(BaseCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        heal()


get_commands()["heal"] = Heal()  # type: ignore[assignment]

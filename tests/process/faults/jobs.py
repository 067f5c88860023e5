"""One job for each fault. Those that hang first leave the time of their last sign of life in a file."""

import ctypes
import mmap
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from workerd import JobContext, job


@job
def crash_after_lines(context: JobContext, lines: int) -> None:
    """Prints and logs by turns, and raises."""
    for number in range(lines // 2):
        print(f"printed {number}")
        context.log.info("logged", number=number)
    raise LookupError("nothing there: \N{SNOWMAN}")


@job
def touch_nothing(context: JobContext) -> None:
    """Reads address 0, which the kernel answers with SIGSEGV."""
    context.wait(0.1)
    ctypes.string_at(0)


@job
def sleep_for_ever(context: JobContext, path: str) -> None:
    """Sleeps."""
    beat_last(context, path)
    time.sleep(3600)


@job
def spin(context: JobContext, path: str) -> None:
    """Turns round and round in Python."""
    beat_last(context, path)
    while True:
        pass


@job
def match_for_ever(context: JobContext, path: str) -> None:
    """Holds the GIL in C: this pattern takes until the sun burns out."""
    beat_last(context, path)
    re.match(r"(a+)+$", "a" * 64 + "b")


@job
def hold_the_gil(context: JobContext, path: str) -> None:
    """Holds the GIL in a C call that sleeps; a signal ends such a call, so it is made again."""
    beat_last(context, path)
    pause = ctypes.PyDLL(None).pause
    while True:
        pause()


@job
def deadlock(context: JobContext, path: str) -> None:
    """Two threads, two locks, taken in opposite order."""
    first, second = threading.Lock(), threading.Lock()
    both = threading.Barrier(2)
    thread = threading.Thread(target=take_second_then_first, args=(first, second, both), name="other", daemon=True)
    thread.start()
    with first:
        both.wait()
        beat_last(context, path)
        with second:
            pass


def take_second_then_first(first: threading.Lock, second: threading.Lock, both: threading.Barrier) -> None:
    with second:
        both.wait()
        with first:
            pass


@job
def read_for_ever(context: JobContext, path: str) -> None:
    """Waits for the answer of a peer that says nothing."""
    ours, _theirs = socket.socketpair()
    beat_last(context, path)
    ours.recv(1)


@job
def wait_uninterruptibly(context: JobContext, path: str) -> None:
    """Waits, as vfork(2) does, for a process that itself waits to open a FIFO: the kernel shows state D."""
    fifo = Path(path).with_name("nobody-writes-here")
    fifo.unlink(missing_ok=True)
    os.mkfifo(fifo)
    beat_last(context, path)
    os.posix_spawn("/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, fifo, os.O_RDONLY, 0)])


@job
def stop_itself(context: JobContext, path: str) -> None:
    """Is stopped, as by a debugger or a mistaken kill."""
    beat_last(context, path)
    os.kill(os.getpid(), signal.SIGSTOP)
    context.wait()


@job
def become_another_program(context: JobContext, path: str) -> None:
    """Executes a program that knows nothing of a dump signal, and would die of it."""
    beat_last(context, path)
    os.execvp("sleep", ["sleep", "3600"])


@job
def become_a_busy_program(context: JobContext, path: str) -> None:
    """Executes a program whose lines the daemon sees, and nothing else of it."""
    beat_last(context, path)
    os.execvp("sh", ["sh", "-c", "while :; do echo busy; sleep 0.1; done"])


@job
def hang_beside_busy_processes(context: JobContext, path: str) -> None:
    """Hangs, while a process that it forked beats and prints, and a program that it started prints."""
    beat_last(context, path)
    if os.fork() == 0:
        be_busy_aloud(context)
    subprocess.run(["sh", "-c", "while :; do echo busy; sleep 0.1; done"], check=False)


def be_busy_aloud(context: JobContext) -> None:
    while True:
        context.beat("busy")
        print("busy")
        time.sleep(0.1)


@job
def fall_silent(context: JobContext, seconds: float) -> None:
    """Works for ``seconds`` without a sign of life, then waits for longer, and once more."""
    for _ in range(2):
        context.beat()
        time.sleep(seconds)
        context.beat()
        context.wait(2 * seconds)


@job
def be_busy(context: JobContext) -> None:
    """Beats often and looks for no stop: as healthy as can be until it is asked to go."""
    while True:
        context.beat("busy")
        time.sleep(0.02)


@job
def print_often(context: JobContext) -> None:
    """Gives no sign of life but lines."""
    number = 0
    while not context.stopping:
        number += 1
        print(f"line {number} {'x' * 200}")
        time.sleep(0.01)


@job
def query_often(context: JobContext) -> None:
    """Gives no sign of life but queries."""
    from tests.process.bad_jobs.models import Mark

    while not context.stopping:
        list(Mark.objects.all()[:1])
        time.sleep(0.02)


@job
def leave_a_child(context: JobContext, path: str, own_session: bool, code: int = 3) -> None:
    """Leaves without its own child, which has a child again."""
    child = subprocess.Popen(
        ["sh", "-c", f"sleep 3600 & echo $! > {path}.new; mv {path}.new {path}; wait"], start_new_session=own_session
    )
    while not Path(path).exists():
        time.sleep(0.01)
    write_whole(Path(f"{path}.parent"), str(child.pid))
    os._exit(code)


@job
def keep_a_child(context: JobContext, path: str) -> None:
    """Has a child in a session of its own, and stays."""
    child = subprocess.Popen(["sleep", "3600"], start_new_session=True)
    write_whole(Path(path), str(child.pid))
    context.wait()


@job
def grow(context: JobContext, mib_a_turn: int, turns: int, pause: float = 0.1) -> None:
    """Takes memory, and keeps it."""
    kept: list[bytes] = []
    for _ in context.every(pause):
        if len(kept) < turns:
            kept.append(b"x" * (mib_a_turn << 20))
            context.beat(f"{len(kept) * mib_a_turn} MiB")


@job
def damage_the_page(context: JobContext, path: str) -> None:
    """Tries to cut its heartbeat page, then writes over all of it."""
    page_at = next(entry for entry in Path("/proc/self/fd").iterdir() if "workerd-page" in str(entry.resolve()))
    descriptor = int(page_at.name)
    answers = []
    for size in (0, 1, 8192):
        try:
            os.ftruncate(descriptor, size)
            answers.append("cut")
        except OSError as error:
            answers.append(error.strerror or "")
    with mmap.mmap(descriptor, 4096) as page:
        page[:] = b"\xff" * 4096
    write_whole(Path(path), "\n".join(answers))
    time.sleep(3600)


@job
def flood(context: JobContext) -> None:
    """Prints as fast as it can, for ever: its pipe is always full."""
    lines = ("f" * 60_000 + "\n") * 10
    while not context.stopping:
        sys.stdout.write(lines)


@job
def write_run(context: JobContext, folder: str) -> None:
    """Leaves its run's id in a file, and waits to be killed."""
    line = f"{context.run_id} {os.getpid()}\n".encode()
    descriptor = os.open(Path(folder) / f"{context.job_name}.{context.index}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line)
    os.close(descriptor)
    context.wait()


@job
def write_begin_and_end(context: JobContext, path: str, seconds: float) -> None:
    """Adds a line to a file when it begins, and another when it has done its work."""
    write_line(path, f"begin {context.run_id}")
    context.wait(seconds)
    write_line(path, f"end {context.run_id}")


def write_line(path: str, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def beat_last(context: JobContext, path: str) -> None:
    """Beat for the last time, and leave the moment in a file beside ``path``, unless an earlier run did."""
    context.beat(f"last beat of {context.job_name}")
    mine = Path(f"{path}.{context.index}")
    if not mine.exists():
        write_whole(mine, repr(time.time()))


def write_whole(path: Path, text: str) -> None:
    """Whoever sees the file sees all of it."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.rename(path)


@job
def leave_unmarked(context: JobContext, path: str) -> None:
    """Leaves a process without our mark, as somebody's ``docker exec`` may be."""
    child = subprocess.Popen(["sleep", "60"], start_new_session=True, env={}, stdout=subprocess.DEVNULL)
    write_whole(Path(path), str(child.pid))
    os._exit(3)


@job
def keep_a_deaf_child(context: JobContext, path: str) -> None:
    """Has a child in a session of its own that ignores TERM, and stays."""
    script = f"trap '' TERM; echo $$ > {path}.new; mv {path}.new {path}; while :; do sleep 1; done"
    subprocess.Popen(["sh", "-c", script], start_new_session=True)
    context.wait()


@job
def ask_for_ever(context: JobContext) -> None:
    """Asks the database, and ends of what Django raises when that is gone."""
    from tests.process.bad_jobs.models import Mark

    for _ in context.every(0.05):
        list(Mark.objects.all()[:1])


@job
def ask_at_length(context: JobContext) -> None:
    """Is in the middle of a query, for a minute."""
    from django.db import connection

    context.beat("asking")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)" if connection.vendor == "postgresql" else "SELECT SLEEP(60)")


@job
def end_with_note(context: JobContext, note: str) -> None:
    """Leaves a note, and ends."""
    context.beat(note)


@job
def raise_odd_text(context: JobContext) -> None:
    """Raises with text that no server takes."""
    context.beat("NUL \0 and half a pair \ud800")
    print("NUL \0 and half a pair \ud800")
    raise ValueError("NUL \0 and half a pair \ud800")


@job
def grow_and_end(context: JobContext, mib: int) -> None:
    """Takes memory, and is done."""
    kept = b"x" * (mib << 20)
    context.beat(f"{len(kept)} bytes")


@job
def ask_elsewhere(context: JobContext) -> None:
    """Asks another database than the ledger's."""
    from django.db import connections

    with connections["second"].cursor() as cursor:
        cursor.execute("SELECT 1")


@job
def write_for_ever(context: JobContext) -> None:
    """Write to the database ten times a second; an error ends the run."""
    from workerd.models import Node

    for _ in context.every(0.1):
        Node.objects.filter(name="nobody").update(generation=1)
        context.beat("wrote")


@job
def ask_and_swallow(context: JobContext) -> None:
    """Ask the database ten times a second, and pass over its errors."""
    from django.db import DatabaseError

    from workerd.models import Job

    for _ in context.every(0.1):
        try:
            Job.objects.count()
            context.beat("asked")
        except DatabaseError:
            context.beat("swallowed")


@job
def wait_and_ask(context: JobContext, path: str) -> None:
    """Ask the database, wait until a file is there, and ask again: in a loop of its own."""
    from workerd.models import Job

    turn = 0
    while not context.stopping:
        Job.objects.count()
        turn += 1
        context.beat(f"asked {turn}")
        while not Path(f"{path}/{turn}").exists() and not context.wait(1.5):
            pass


@job
def change_user(context: JobContext, path: str) -> None:
    """Gives up its user, as programs do that need root only to begin with, and does not stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with Path(path).open("w") as file:
        os.setgid(65534)
        os.setuid(65534)
        file.write(str(os.getpid()))
    while True:
        time.sleep(1)


@job
def leave_its_group(context: JobContext, path: str) -> None:
    """Moves into another process group, and does not stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.setpgid(0, os.getpgid(os.getppid()))
    Path(path).write_text(str(os.getpid()))
    while True:
        time.sleep(1)


@job
def put_into_the_background(context: JobContext, path: str, execute: bool) -> None:
    """Starts a process that goes into the background, as ``ssh -f`` and agents do, and goes on."""
    middle = os.fork()
    if middle == 0:
        os.setsid()
        if os.fork() == 0:
            write_whole(Path(path), str(os.getpid()))
            if execute:
                os.execvp("sleep", ["sleep", "3600"])
            time.sleep(3600)
        os._exit(0)
    os.waitpid(middle, 0)
    context.wait()

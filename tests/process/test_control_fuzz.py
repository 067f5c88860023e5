"""The control socket against malformed, oversized, slow, hostile and very many clients: a reply at most, no harm."""

import collections
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from typing import Any

import pytest

from tests.harness.chaos import assert_descriptors, descriptors, wait_for_calm
from tests.harness.daemon import Daemon
from tests.harness.project import Project
from workerd.wire.asking import connect

FUZZ_S = float(os.environ.get("WORKERD_FUZZ_SECONDS", "5"))
"""The issue's minute is ``WORKERD_FUZZ_SECONDS=60 pytest …``; a run of all tests takes less of it."""
CLIENTS = 200
ON_TIME_S = 1.0
"""Half of the killed children are back within this, and all within ten times as much: the machine does other things."""
VERBS = ("ping", "status", "start", "stop", "restart", "resume", "dump", "trigger", "tail", "reload", "shutdown")
REQUEST_BYTES = 64 * 1024
AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "python3", "-S")
SYSTEM_PATH = "/usr/bin:/bin"
"""Where another user finds a Python; ours may be in root's home."""
PING = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(f"/proc/self/fd/{sys.argv[1]}/{sys.argv[2]}")
client.sendall(b'{"verb": "ping"}\\n')
print(client.recv(100))
"""

pytestmark = [pytest.mark.backends("any"), pytest.mark.slow]


@pytest.fixture
def busy(project: Project, daemon: Daemon) -> Daemon:
    """A daemon with a job that is started again at once."""
    project.add_job("idle", backoff_initial=0)
    daemon.start()
    wait_for_calm(daemon, slots=1)
    return daemon


def connection(daemon: Daemon, within: float = 30.0) -> socket.socket:
    return connect(daemon.project.state_dir, daemon.project.name, within)


def read_line(client: socket.socket) -> Any:
    with client.makefile("rb") as answers:
        line = answers.readline()
    return json.loads(line) if line else None


def assert_unharmed(daemon: Daemon, before: collections.Counter[str]) -> None:
    """Nobody is connected any more, nothing was logged as a fault, and orders work."""
    wait_for_calm(daemon, slots=1)
    assert_descriptors(daemon.pid, before)
    assert daemon.faults() == []
    assert daemon.ask({"verb": "restart", "names": ["idle"]})["ok"] is True


# what is said


def test_what_is_no_request_is_answered_with_what_one_is(busy: Daemon) -> None:
    answers = {
        b"hello\n": "a request is one JSON object on one line",
        b"\xff\xfe\x00\n": "a request is one JSON object on one line",
        b"[" * 60_000 + b"\n": "a request is one JSON object on one line",
        b"[]\n": 'a request is a JSON object with a "verb"',
        b'{"verb": 7}\n': 'a request is a JSON object with a "verb"',
        b'{"verb": "dance"}\n': "unknown verb 'dance': this daemon knows ping, status",
        b'{"verb": "restart"}\n': 'name the jobs or slots in "names", or say "all": true',
        b'{"verb": "restart", "names": "idle"}\n': '"names" is a list of names of jobs or slots',
        b'{"verb": "restart", "names": [["idle"]]}\n': '"names" is a list of names of jobs or slots',
        json.dumps({"verb": "stop", "names": ["idle"] * 1001}).encode() + b"\n": "1001 names are more than 1000 in one",
        b"x" * (REQUEST_BYTES + 1): f"a request is one line of at most {REQUEST_BYTES} bytes",
    }
    for request, answer in answers.items():
        with connection(busy) as client:
            client.sendall(request)
            reply = read_line(client)

        assert reply["ok"] is False, request[:40]
        assert reply["error"].startswith(answer), request[:40]


def test_a_minute_of_nonsense_delays_no_restart_and_leaves_nothing(busy: Daemon) -> None:
    """Bytes, half lines, huge lines, wrong types, clients that leave or do not read: children are back on time."""
    before, chance = descriptors(busy.pid), random.Random()
    until, delays = time.monotonic() + FUZZ_S, []
    with contextlib.ExitStack() as lingering:
        while time.monotonic() < until:
            for _ in range(50):
                annoy(busy, chance, lingering)
            delays.append(kill_and_time(busy))

    assert sorted(delays)[len(delays) // 2] < ON_TIME_S, sorted(delays)[-5:]
    assert_unharmed(busy, before)


def annoy(daemon: Daemon, chance: random.Random, lingering: contextlib.ExitStack) -> None:
    """Be one bad client; some stay connected, up to as many as the daemon hears."""
    try:
        client = connection(daemon, within=0.2)
    except OSError:
        lingering.close()
        return
    with contextlib.suppress(OSError):
        client.sendall(nonsense(chance))
        if chance.random() < 0.5:
            client.recv(4096)
    if chance.random() < 0.2:
        lingering.enter_context(client)
    else:
        client.close()


def nonsense(chance: random.Random) -> bytes:
    """Return something that stops nothing: bytes, or a harmless verb with fields of any type."""
    kind = chance.randrange(5)
    if kind == 0:
        return chance.randbytes(chance.randrange(1, 2000))
    if kind == 1:
        return chance.randbytes(chance.choice((REQUEST_BYTES - 1, REQUEST_BYTES, 2 * REQUEST_BYTES)))
    fields = {name: any_value(chance) for name in chance.sample(("names", "all", "wait", "last", "follow", "verb"), 3)}
    harmless = [verb for verb in VERBS if verb not in ("reload", "shutdown", "stop", "restart", "start", "resume")]
    request = {**fields, "verb": chance.choice((*harmless, any_value(chance)))}
    line = json.dumps(request).encode() + b"\n"
    return line[: chance.randrange(len(line))] if kind == 2 else line * chance.choice((1, 1, 1, 300))


def any_value(chance: random.Random) -> Any:
    return chance.choice(
        (None, True, False, -1, 10**30, 1e308, "", "idle", "\x00", [], ["idle"], [None], {}, {"a": 1}, "x" * 10_000)
    )


def kill_and_time(daemon: Daemon) -> float:
    """Kill the child; return the seconds until the log says that another has its licence."""
    pid, position = daemon.child_pid("idle"), daemon.log.position
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    daemon.wait_event("child.born", since=position, slot="idle", within=ON_TIME_S * 10)
    return time.monotonic() - killed


# who says it


def test_two_hundred_clients_at_once_are_all_answered(busy: Daemon) -> None:
    before = descriptors(busy.pid)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connection(busy)) for _ in range(CLIENTS)]
        for client in clients:
            client.sendall(b'{"verb": "status"}\n')

        answers = [read_line(client) for client in clients]

    assert all(answer["ok"] for answer in answers)
    assert_unharmed(busy, before)


def test_silent_clients_keep_nobody_out(busy: Daemon) -> None:
    before = descriptors(busy.pid)
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connection(busy)) for _ in range(256)]
        surplus = stack.enter_context(connection(busy))

        for client in (surplus, silent[-1]):
            client.sendall(b'{"verb": "ping"}\n')
            assert read_line(client) == {"ok": True}
        assert silent[0].recv(1) == b"", "the one that has said nothing for longest"
    assert_unharmed(busy, before)


@pytest.mark.skipif(
    os.geteuid() != 0 or not all(shutil.which(name, path=SYSTEM_PATH) for name in ("setpriv", "python3")),
    reason="it needs root, and setpriv and python3 of the system",
)
def test_another_user_is_not_heard(busy: Daemon, project: Project) -> None:
    """The socket's mode keeps others out; where somebody opened it, the peer's uid does."""
    path = project.state_dir / f"{project.name}.sock"
    assert [oct(entry.stat().st_mode & 0o777) for entry in (project.state_dir, path)] == [oct(0o700), oct(0o600)]
    project.state_dir.chmod(0o711)

    assert "PermissionError" in ask_as_nobody(project).stderr

    path.chmod(0o666)
    heard = ask_as_nobody(project)
    assert heard.stdout == "b''\n" or "ConnectionResetError" in heard.stderr or "BrokenPipeError" in heard.stderr
    assert busy.ask({"verb": "ping"}) == {"ok": True}


def ask_as_nobody(project: Project) -> "subprocess.CompletedProcess[str]":
    """Connect as another user, who is handed the folder: what is above it is closed to others as well."""
    folder = os.open(project.state_dir, os.O_PATH | os.O_DIRECTORY)
    try:
        return subprocess.run(
            [*AS_NOBODY, "-c", PING, str(folder), f"{project.name}.sock"],
            pass_fds=[folder],
            env={"PATH": SYSTEM_PATH},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(folder)


def test_shutdown_by_the_command_ends_it_and_everything_of_it(busy: Daemon, project: Project) -> None:
    busy.tree.look(busy.pid)

    project.add_job("stop-slowly", kwargs={"takes": 1.0})
    busy.wait_state("stop-slowly", "RUNNING")

    early = project.manage("workerd", "shutdown", "--no-wait")

    assert (early.returncode, early.stdout) == (0, "the daemon is stopping its jobs\n")
    assert busy.wait(60) == 0
    busy.assert_clean_exit()

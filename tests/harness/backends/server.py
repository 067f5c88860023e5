"""A database server that the tests may stop, kill and start again, or one that somebody else runs."""

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.harness.processes import Process

DIE_WITH_PARENT = Path(__file__).with_name("die_with_parent.py")
STOP_WITHIN_S = 30.0
PORTS = range(20_000, 32_768)
"""Below those that Linux gives to whoever connects: nobody is given one between its choice and its use."""


class ServerError(Exception):
    """A server did not start or stop; carries the end of its log."""

    def __init__(self, what: str, log: Path) -> None:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else "(no log)"
        super().__init__(f"{what}\n{tail}")


@dataclass(frozen=True)
class Address:
    """Where a server is reached, and as whom."""

    host: str
    port: int
    user: str
    password: str = ""

    @classmethod
    def from_url(cls, url: str, default_port: int) -> "Address":
        """Read ``anything://user:password@host:port/…``."""
        parts = urlsplit(url)
        return cls(
            parts.hostname or "127.0.0.1",
            parts.port or default_port,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )

    @property
    def peer(self) -> str:
        """What the kernel calls the other end of a connection: a server that was given may have a name for a host."""
        return f"{socket.gethostbyname(self.host)}:{self.port}"


class GivenServer:
    """A server named in the environment: used as it is, never stopped."""

    throw_away = False
    certificate: Path | None = None

    def __init__(self, address: Address) -> None:
        self.address = address

    def ensure_started(self) -> None:
        """Nothing to do: it runs, or its first use says that it does not."""

    def close(self) -> None:
        """Nothing to do: it is not ours."""


class Server:
    """A throw-away server on a loopback port of its own, with TLS and without durability.

    ``folder`` keeps the data over ``stop`` and ``start``; the port stays the same for the object's life.
    """

    throw_away = True
    superuser: str
    account: str
    """The system's user that runs it where the tests are run by root, as these servers refuse to be root's."""
    stop_signal: signal.Signals
    orphan_signal: signal.Signals
    start_within_s = 60.0

    def __init__(self, folder: Path | None = None) -> None:
        self._owns_folder = folder is None
        self.folder = folder or make_folder()
        self.address = Address("127.0.0.1", free_port(), self.superuser)
        self.log = self.folder / "server.log"
        self.certificate: Path | None = self.folder / "server.crt"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def ensure_started(self) -> None:
        """Start it unless it runs."""
        if self.pid is None:
            self.start()

    def start(self) -> None:
        """Start it, on the first time with a fresh data directory, and return when it answers."""
        self.launch()
        self.wait_for_answer()

    def launch(self) -> None:
        """Start it, and return at once."""
        if self.pid is not None:
            raise RuntimeError("the server runs already")
        self.initialise()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ending_with_us(self.command(), self._user(), self.orphan_signal),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # the Ctrl-C of a test run is not the server's
            )

    def stop(self) -> None:
        """Have it shut down, sessions and all, and return when it is gone."""
        self.signal(self.stop_signal)
        self._wait_for_end()

    def kill(self) -> None:
        """Kill it and its children at once, as a power cut would; the next ``start`` recovers its data."""
        processes = [process for pid in self.pids() if (process := Process.look(pid)) is not None]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self._wait_for_end()
        wait_until_ended(processes, STOP_WITHIN_S)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Let it accept and answer nothing, as a server behind a dead link; undone by ``thaw``."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo ``freeze``."""
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def pids(self) -> list[int]:
        """The server's process and its own children."""
        if self.pid is None:
            return []
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def signal(self, number: int) -> None:
        """Send a signal to the server's process, if it runs."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)

    def close(self) -> None:
        """Stop it, and remove its folder if it was made for it."""
        if self.pid is not None:
            self.stop()
        if self._owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def initialise(self) -> None:
        """Make the data directory, once."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """The server's command line, in the foreground."""
        raise NotImplementedError

    def run(self, command: Sequence[str | Path]) -> None:
        """Run a program of the server's as the server's user."""
        with self.log.open("ab") as log:
            done = subprocess.run(
                ending_with_us(command, self._user()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                check=False,
            )
        if done.returncode != 0:
            raise ServerError(f"{command[0]} ended with {done.returncode}", self.log)

    def give_to_account(self, *paths: Path) -> None:
        """Make the server's user the owner, where the tests are run by root."""
        user = self._user()
        for path in paths if user else ():
            shutil.chown(path, user, pwd.getpwnam(user).pw_gid)

    def _user(self) -> str:
        if os.geteuid() != 0:
            return ""
        known = {entry.pw_name for entry in pwd.getpwall()}
        return self.account if self.account in known else "nobody"

    def wait_for_answer(self) -> None:
        """Each greets or answers only when it is ready; a port that is merely open is not enough."""
        deadline = time.monotonic() + self.start_within_s
        while not self.answers():
            if self.pid is None or time.monotonic() > deadline:
                raise ServerError(f"{self.command()[0]} does not answer on port {self.address.port}", self.log)
            time.sleep(0.02)

    def answers(self) -> bool:
        """Say whether it takes sessions now."""
        raise NotImplementedError

    def _wait_for_end(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise ServerError(f"process {self._process.pid} did not stop in {STOP_WITHIN_S:g} s", self.log) from None


def ending_with_us(command: Sequence[str | Path], user: str = "", number: int = signal.SIGKILL) -> list[str]:
    """Return the command line that runs ``command`` as ``user`` and sends it the signal when this process ends."""
    words = [sys.executable, "-S", "-E", DIE_WITH_PARENT, user, int(number), os.getpid(), *command]
    return [str(word) for word in words]


def wait_until_ended(processes: Sequence[Process], within: float) -> None:
    """Return when all have ended; as others' children they may stay zombies, or their pids be others' by then."""
    deadline = time.monotonic() + within
    while left := [process for process in processes if _runs(process)]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{left} still run after {within:g} s")
        time.sleep(0.005)


def _runs(process: Process) -> bool:
    now = Process.look(process.pid)
    return now is not None and now.started == process.started and not now.is_zombie


def make_folder() -> Path:
    """Return a new folder with a short path, which other users may pass through."""
    folder = Path(tempfile.mkdtemp(prefix="workerd-"))
    folder.chmod(0o711)
    return folder


def free_port() -> int:
    """Return a loopback port that nobody listens on, drawn so that two runs of the tests seldom draw the same one."""
    dice = random.SystemRandom()  # the tests seed the other one, each run alike
    while True:
        port = dice.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def exchange(address: Address, question: bytes) -> bytes:
    """Return a server's first bytes in answer to ``question``, or nothing at all."""
    try:
        with socket.create_connection((address.host, address.port), timeout=5) as connection:
            connection.sendall(question)
            return connection.recv(4096)
    except OSError:
        return b""

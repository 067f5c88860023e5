"""Network namespaces: a hub, and a node's each, that reach nothing but the hub, and there the relay to the server."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.harness.backends.server import Address, ending_with_us

ROOT = Path(__file__).resolve().parents[2]
PORT = 5000


def missing() -> str:
    """Say what this machine lacks for namespaces, or nothing."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    if shutil.which("ip") is None:
        return "the command ip is not installed"
    probe = f"workerd-probe-{os.getpid()}"
    done = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"network namespaces cannot be made here: {done.stderr.strip()}"
    _ip("netns", "del", probe)
    return ""


class Network:
    """A star of namespaces. ``close`` takes it all away."""

    def __init__(self, nodes: int) -> None:
        self._mark = f"workerd-{os.getpid()}"
        self._made: list[str] = []
        self._relay: subprocess.Popen[str] | None = None
        self.nodes = range(1, nodes + 1)
        try:
            self._make(self._hub)
            for number in self.nodes:
                self._join(number)
        except BaseException:
            self.close()
            raise

    @property
    def _hub(self) -> str:
        return f"{self._mark}-hub"

    def namespace(self, number: int) -> str:
        return f"{self._mark}-{number}"

    def address(self, number: int, server: Address) -> Address:
        """Return where a node reaches the relayed server."""
        return Address(f"10.98.{number}.1", PORT, server.user, server.password)

    def relay(self, server: Address) -> None:
        """Lead every node to this server, which this process reaches; those connected to another one lose it."""
        self.end_relay()
        words = [sys.executable, "-m", "tests.fleet.relay", self._hub, PORT, server.host, server.port]
        self._relay = subprocess.Popen(
            ending_with_us([str(word) for word in words]),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._relay.stdout is not None
        assert self._relay.stdout.readline() == "ready\n", "the relay does not start"

    @property
    def relay_pid(self) -> int:
        assert self._relay is not None, "there is no relay"
        return self._relay.pid

    def lose(self, kind: str, number: int | None, told: Path) -> None:
        """Have the relay lose an answer once (see there), of a node or of any, and tell it in this file."""
        assert self._relay is not None, "there is no relay"
        assert self._relay.stdin is not None
        self._relay.stdin.write(f"{kind} {f'10.98.{number}.2' if number else '*'} {told}\n")
        self._relay.stdin.flush()

    def join_pair(self, first: int, second: int) -> str:
        """Lay a cable between two nodes, which no cut is of; return where the first one reaches the second."""
        ends = (f"p{first}{second}", f"p{second}{first}")
        one, other = self.namespace(first), self.namespace(second)
        _ip("link", "add", ends[0], "netns", one, "type", "veth", "peer", "name", ends[1], "netns", other)
        for namespace, end, host in ((one, ends[0], 1), (other, ends[1], 2)):
            _ip("-n", namespace, "addr", "add", f"10.99.{first}.{host}/30", "dev", end)
            _ip("-n", namespace, "link", "set", end, "up")
        return f"10.99.{first}.2"

    def cut(self, number: int) -> None:
        """Drop silently what a node sends and what is sent to it."""
        self._in_hub("ip", "link", "set", f"h{number}", "down")

    def mend(self, number: int) -> None:
        self._in_hub("ip", "link", "set", f"h{number}", "up")

    def end_relay(self) -> None:
        """Lead nobody anywhere."""
        if self._relay is not None:
            self._relay.kill()
            self._relay.communicate()
            self._relay = None

    def close(self) -> None:
        self.end_relay()
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def _make(self, name: str) -> None:
        _ip("netns", "add", name)
        self._made.append(name)
        _ip("-n", name, "link", "set", "lo", "up")

    def _join(self, number: int) -> None:
        node = self.namespace(number)
        self._make(node)
        _ip(
            "link", "add", f"n{number}", "netns", node, "type", "veth", "peer", "name", f"h{number}", "netns", self._hub
        )
        for namespace, end, host in ((node, f"n{number}", 2), (self._hub, f"h{number}", 1)):
            _ip("-n", namespace, "addr", "add", f"10.98.{number}.{host}/30", "dev", end)
            _ip("-n", namespace, "link", "set", end, "up")

    def _in_hub(self, *words: str) -> None:
        subprocess.run(["ip", "netns", "exec", self._hub, *words], check=True, capture_output=True)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")

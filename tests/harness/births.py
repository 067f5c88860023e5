"""A forkserver and a kernel of the test's: births and signals go through the daemon's own code, and no process runs."""

import os
from contextlib import suppress
from typing import Any

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.processes.child import Child
from workerd.wire.channel import Channel
from workerd.wire.messages import Born, Message

FIRST_PID = 2**22 + 1
"""Beyond what Linux gives out: no process has such a pid."""
PROGRAM_PID = FIRST_PID - 2


class FakeForkserver:
    """Takes requests for births, and keeps the other end of each child's channel."""

    generation = 1
    pid = FIRST_PID - 1
    run = "forkserver-1"
    ready = True

    def __init__(self) -> None:
        self.asked: list[Child] = []
        self.spares = 0
        """How many of those nobody waits for."""
        self.peers: list[Channel] = []

    def bear(self, child: Child, *, spare: bool) -> None:
        self.spares += spare
        channel, *others = child.theirs
        for descriptor in others:
            os.close(descriptor)
        self.asked.append(child)
        self.peers.append(Channel.from_descriptor(channel))

    def say(self, child: Child, message: Message) -> None:
        """Have the child send ``message`` to the daemon."""
        self.peers[self.asked.index(child)].send(message)

    def give_birth(self, child: Child) -> None:
        """Have the child say its pid."""
        self.say(child, Born(FIRST_PID + self.asked.index(child)))

    def hang_up(self, child: Child) -> None:
        """Close the child's end of its channel, as its end does."""
        self.peers[self.asked.index(child)].close()

    def close(self) -> None:
        for child in self.asked:
            if not child.buried:
                child.bury()
        for peer in self.peers:
            with suppress(OSError):
                peer.close()


class FakeProgram:
    """Starts nothing: keeps the mark and the channel that it was to have, or refuses as the kernel does."""

    def __init__(self, error: OSError | None = None) -> None:
        self.error = error
        self.started: list[tuple[str, Channel]] = []

    def start(self, run: str, _streams: tuple[int, int], inherited: tuple[int, int]) -> int:
        if self.error is not None:
            raise self.error
        self.started.append((run, Channel.from_descriptor(os.dup(inherited[0]))))
        return PROGRAM_PID

    def close(self) -> None:
        """Close the ends of all that it has started."""
        for _, channel in self.started:
            channel.close()


class FakeGenerations:
    """The generations as births see them: one forkserver, or none for a while."""

    def __init__(self) -> None:
        self.server = FakeForkserver()
        self.current: FakeForkserver | None = self.server
        self.former: FakeForkserver | None = None
        self.suspected = 0
        self.trouble = ""
        self.on_ready: Listeners[[bool]] = Listeners()
        self.on_trouble: Listeners[[]] = Listeners()
        self.on_birth_failed: Listeners[[int, str]] = Listeners()

    def processes(self) -> list[FakeForkserver]:
        return [self.server]

    def find(self, pid: int) -> FakeForkserver | None:
        return self.server if pid == self.server.pid else None

    def suspect(self, generation: int) -> None:
        self.suspected += 1

    def obstacle(self) -> str:
        return "" if self.current is not None else self.trouble or "the project's code is being loaded"


class FakeKernel:
    """Stands for the module ``os`` in workerd.daemon.processes.signals: keeps what processes and groups are sent."""

    def __init__(self) -> None:
        self.signals: list[tuple[int, int]] = []
        self.group_signals: list[tuple[int, int]] = []
        self.refusals: dict[int, OSError] = {}
        """What the kernel answers to a signal for a process or its group."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def kill(self, pid: int, number: int) -> None:
        self._refuse(pid)
        self.signals.append((pid, number))

    def killpg(self, group: int, number: int) -> None:
        self._refuse(group)
        self.group_signals.append((group, number))

    def _refuse(self, pid: int) -> None:
        if pid in self.refusals:
            raise self.refusals[pid]

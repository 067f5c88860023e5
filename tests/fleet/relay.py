"""Leads from another network namespace to a server in this one: ``relay NAMESPACE FROM_PORT HOST PORT``.

A line on its stdin, such as ``claim 10.98.1.2 FILE``, has it lose an answer once, of that node or, with ``*``, of any:
it passes the statement on, and from then on nothing of this connection. It then writes the node and the time into the
file. It can read statements only where there is no TLS.
"""

import asyncio
import contextlib
import os
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.fleet.enter import enter_network
from workerd.wire.lease import boot_time

LOSES = ("renewal", "claim", "record")
"""A renewal or a claim loses the answer to its COMMIT; a record of a run loses that to the statement itself."""


@dataclass
class Losses:
    """What is to be lost next, of whom, and where that is told."""

    wanted: list[tuple[str, str, Path]] = field(default_factory=list)

    def order(self, line: str) -> None:
        kind, node, path = line.split()
        assert kind in LOSES, kind
        self.wanted.append((kind, node, Path(path)))

    def lose(self, kind: str, node: str) -> bool:
        """Return whether this answer is to be lost, and tell it."""
        for entry in self.wanted:
            if entry[0] == kind and entry[1] in {node, "*"}:
                self.wanted.remove(entry)
                with entry[2].open("a") as file:
                    file.write(f"{node} {boot_time():.6f}\n")
                return True
        return False


@dataclass
class Talk:
    """One connection, as its statements show it."""

    node: str
    losses: Losses
    kind: str = ""
    is_lost: bool = False

    def hear(self, data: bytes) -> None:
        """Take what the node sends."""
        if b"UPDATE" in data and b"workerd_seat" in data:
            self.kind = "claim" if b"moves" in data else "renewal" if b"renewed" in data else ""
        elif b"COMMIT" in data:
            self.is_lost = self.is_lost or (bool(self.kind) and self.losses.lose(self.kind, self.node))
            self.kind = ""
        elif b"workerd_run" in data and (b"UPDATE" in data or b"INSERT" in data):
            self.is_lost = self.is_lost or self.losses.lose("record", self.node)


async def _to_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: Talk) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            if talk.is_lost:
                continue
            talk.hear(data)
            writer.write(data)
            await writer.drain()
    writer.close()


async def _to_node(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: Talk) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            if not talk.is_lost:
                writer.write(data)
                await writer.drain()
    writer.close()


async def _serve(listener: socket.socket, host: str, port: int) -> None:
    losses = Losses()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Talk(writer.get_extra_info("peername")[0], losses)
        try:
            server_reader, server_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_to_server(reader, server_writer, talk), _to_node(server_reader, writer, talk))

    server = await asyncio.start_server(connect, sock=listener)
    asyncio.get_running_loop().add_reader(0, lambda: losses.order(sys.stdin.readline()))
    print("ready", flush=True)
    await server.serve_forever()


def _listen(namespace: str, port: int) -> socket.socket:
    """Return a socket that stays in the namespace, while this process comes back."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    enter_network(f"/run/netns/{namespace}")
    listener = socket.create_server(("0.0.0.0", port), backlog=200)
    enter_network(f"/proc/self/fd/{home}")
    os.close(home)
    return listener


if __name__ == "__main__":
    asyncio.run(_serve(_listen(sys.argv[1], int(sys.argv[2])), sys.argv[3], int(sys.argv[4])))

"""Leads from another network namespace to a server in this one: ``relay NAMESPACE FROM_PORT HOST PORT``."""

import asyncio
import contextlib
import os
import socket
import sys

from tests.fleet.enter import enter_network


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _serve(listener: socket.socket, host: str, port: int) -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pass_on(reader, server_writer), _pass_on(server_reader, writer))

    server = await asyncio.start_server(connect, sock=listener)
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

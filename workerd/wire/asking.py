"""The asking end of the control socket: one request, one answer, each one JSON object on a line."""

import json
import os
import socket
import struct
from pathlib import Path
from typing import Any


def connect(state_dir: Path, name: str, patience_s: float | None) -> socket.socket:
    """Return a connection to the daemon ``name``; without ``patience_s`` it waits for ever."""
    folder = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX)
    try:
        if patience_s:
            # As many may wait already as the socket holds. Python's time-out makes the socket one that does not block,
            # which is refused then at once; the kernel's own lets it wait for a place.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(patience_s))
        else:
            connection.settimeout(patience_s)
        connection.connect(f"/proc/self/fd/{folder}/{name}.sock")  # the path itself may exceed AF_UNIX's 107 bytes
        connection.settimeout(patience_s)
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(folder)
    return connection


def _timeval(seconds: float) -> bytes:
    """Return a C struct timeval of at least a microsecond: zero would stand for no limit."""
    return struct.pack("@ll", int(seconds), max(1, int(seconds % 1 * 1e6)))


def send(connection: socket.socket, request: dict[str, Any]) -> None:
    """Send one request."""
    connection.sendall(json.dumps(request).encode() + b"\n")


def receive(connection: socket.socket) -> dict[str, Any]:
    """Return one answer. Raises OSError where none comes in time, ValueError where it is no JSON object."""
    with connection.makefile("rb") as file:
        line = file.readline()
    if not line:
        raise ConnectionResetError("it hung up")
    answer = json.loads(line)
    if not isinstance(answer, dict):
        raise ValueError(f"not an answer: {answer!r}")  # noqa: TRY004 - of what came over the wire, as json's own
    return answer


def ask(state_dir: Path, name: str, request: dict[str, Any], patience_s: float) -> dict[str, Any]:
    """Send one request and return its answer. Raises as ``connect`` and ``receive`` do."""
    with connect(state_dir, name, patience_s) as connection:
        send(connection, request)
        return receive(connection)


def pid_of_daemon(connection: socket.socket) -> int:
    """Return the pid of the process that listens at the other end."""
    credentials = struct.Struct("3i")  # struct ucred: pid, uid, gid
    pid, _uid, _gid = credentials.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size))
    return int(pid)

"""The asking end of the control socket: one request, one answer, each one JSON object on a line."""

import json
import os
import socket
from pathlib import Path
from typing import Any


def connect(state_dir: Path, name: str, patience_s: float) -> socket.socket:
    """Return a connection to the daemon ``name``; by way of a descriptor, as AF_UNIX paths end at 107 bytes."""
    folder = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(patience_s)
        connection.connect(f"/proc/self/fd/{folder}/{name}.sock")
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(folder)
    return connection


def ask(state_dir: Path, name: str, request: dict[str, Any], patience_s: float) -> dict[str, Any]:
    """Return the answer. Raises OSError where none comes in time, ValueError where it is none."""
    with connect(state_dir, name, patience_s) as connection, connection.makefile("rb") as file:
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(file.readline())
    if not isinstance(answer, dict):
        raise ValueError(f"not an answer: {answer!r}")  # noqa: TRY004 - of what came over the wire, as json's own
    return answer

"""The control socket as a client sees it: connections, and one request with its answer."""

import json
import os
import socket
from pathlib import Path
from typing import Any


def connect(state_dir: Path, name: str, within: float = 5.0) -> socket.socket:
    """Return a connection; by way of a descriptor, since a long path does not fit into an address."""
    folder = os.open(state_dir, os.O_PATH | os.O_DIRECTORY)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(within)
        connection.connect(f"/proc/self/fd/{folder}/{name}.sock")
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(folder)
    return connection


def ask(state_dir: Path, name: str, request: dict[str, Any], within: float = 5.0) -> Any:
    """Send one request and return its answer."""
    with connect(state_dir, name, within) as connection:
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile() as answers:
            return json.loads(answers.readline())

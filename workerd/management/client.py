"""The command's end of the control socket: one request, one answer, or a sentence that says why there is none."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from workerd.conf import Settings

ANSWER_PATIENCE_S = 10.0


class NoDaemonError(Exception):
    """Nothing answers at the control socket."""

    def __init__(self, name: str, path: str, reason: object) -> None:
        super().__init__(
            f"no daemon named {name!r} answers at {path} ({reason}). Start it with “manage.py workerd run”, "
            "or look whether it runs under another user or STATE_DIR."
        )


def ask(settings: Settings, request: dict[str, Any], patience_s: float = ANSWER_PATIENCE_S) -> dict[str, Any]:
    """Send one request and return its answer. Raises NoDaemonError."""
    with _connection(settings, request, patience_s) as connection, connection.makefile("rb") as file:
        line = file.readline()
        if not line:
            raise ConnectionResetError("it hung up")
        answer: dict[str, Any] = json.loads(line)
        return answer


def stream(settings: Settings, request: dict[str, Any]) -> Iterator[str]:
    """Send one request and yield the lines that come, until the daemon ends or says that there are no more."""
    with _connection(settings, request, None) as connection, connection.makefile("rb") as file:
        for line in file:
            text = line.decode("utf-8", "replace").rstrip("\n")
            if text == '{"ok": true}':
                return
            yield text


def wait_until_gone(settings: Settings) -> None:
    """Return when nobody answers any more; a daemon that only hung up on us is asked again."""
    with suppress(NoDaemonError):
        while True:
            with _connection(settings, {"verb": "ping"}, None) as connection:
                while connection.recv(4096):
                    pass


@contextmanager
def _connection(settings: Settings, request: dict[str, Any], patience_s: float | None) -> Iterator[socket.socket]:
    folder_path, name = settings.state_dir, f"{settings.name}.sock"
    try:
        if folder_path is None:
            raise FileNotFoundError('WORKERD["STATE_DIR"] is not set')
        folder = os.open(folder_path, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(patience_s)
                connection.connect(f"/proc/self/fd/{folder}/{name}")  # AF_UNIX paths end at 107 bytes
                connection.sendall(json.dumps(request).encode() + b"\n")
                yield connection
        finally:
            os.close(folder)
    except (OSError, ValueError) as error:
        raise NoDaemonError(settings.name, f"{folder_path}/{name}", error) from error

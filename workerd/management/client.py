"""The command's end of the control socket: an answer, or a sentence that says why there is none."""

import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from workerd.conf import Settings
from workerd.durations import format_duration
from workerd.errors import WorkerdError
from workerd.wire.asking import connect, pid_of_daemon, receive, send

ANSWER_PATIENCE_S = 10.0


class NoDaemonError(WorkerdError):
    """No daemon answers at the control socket."""


def ask(
    settings: Settings,
    request: dict[str, Any],
    patience_s: float = ANSWER_PATIENCE_S,
    meanwhile: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Send one request and return its answer. Raises NoDaemonError.

    An answer that takes long, as orders may, is waited for while the daemon answers others; ``meanwhile`` is called
    each time that it has done so.
    """
    until = time.monotonic() + patience_s
    with _connection(settings, request, min(patience_s, ANSWER_PATIENCE_S)) as connection:
        while time.monotonic() + ANSWER_PATIENCE_S < until and not _can_be_read(connection, ANSWER_PATIENCE_S):
            ask(settings, {"verb": "ping"}, ANSWER_PATIENCE_S)
            meanwhile()
        return receive(connection)


def _can_be_read(connection: socket.socket, within_s: float) -> bool:
    return bool(select.select([connection], [], [], within_s)[0])


def stream(settings: Settings, request: dict[str, Any]) -> Iterator[str]:
    """Send one request and yield the lines that come, until the daemon ends or says that there are no more."""
    with _connection(settings, request, None) as connection, connection.makefile("rb") as file:
        for line in file:
            text = line.decode("utf-8", "replace").rstrip("\n")
            if text == '{"ok": true}':
                return
            if text.startswith('{"ok": false'):
                raise NoDaemonError(str(json.loads(text).get("error")))
            yield text


def wait_until_gone(settings: Settings) -> None:
    """Return when no daemon answers any more."""
    with suppress(NoDaemonError):
        while True:  # a daemon that only hung up on this connection is asked again
            with _connection(settings, {"verb": "ping"}, None) as connection:
                while connection.recv(4096):
                    pass


@contextmanager
def _connection(settings: Settings, request: dict[str, Any], patience_s: float | None) -> Iterator[socket.socket]:
    """Yield a connection on which ``request`` is sent. Raises NoDaemonError for whatever goes wrong with it."""
    if settings.state_dir is None:
        raise NoDaemonError('WORKERD["STATE_DIR"] is not set, so there is no daemon to ask.')
    path, pid = settings.state_dir / f"{settings.name}.sock", 0
    try:
        with connect(settings.state_dir, settings.name, patience_s) as connection:
            pid = pid_of_daemon(connection)
            send(connection, request)
            yield connection
    except (TimeoutError, BlockingIOError) as error:  # the latter: as many wait already as the socket holds
        raise NoDaemonError(_describe_hang(settings, pid, patience_s or 0.0)) from error
    except PermissionError as error:
        message = f"You may not ask the daemon at {path}: run the command as {_owner(settings.state_dir)} or as root."
        raise NoDaemonError(message) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise NoDaemonError(
            f"No daemon named “{settings.name}” answers at {path} ({reason}). "
            "Start it with “manage.py workerd run”, or look whether it runs under another user or STATE_DIR."
        ) from error


def _describe_hang(settings: Settings, pid: int, patience_s: float) -> str:
    """Return why a daemon that listens does not answer, and what to do: one that is stopped needs to be continued."""
    pid = pid or _pid_in_file(settings)
    if _state(pid) in {"T", "t"}:
        return f"The daemon (pid {pid}) is stopped, by a signal or a debugger. “kill -CONT {pid}” continues it."
    return (
        f"The daemon (pid {pid}) has taken the request but does not answer within {format_duration(patience_s)}: "
        "it hangs, or the machine is overloaded. An order that it has not come to by now is not carried out. "
        f"“kill -ABRT {pid}” ends it, and its standard error then says where it hung."
    )


def _pid_in_file(settings: Settings) -> int:
    assert settings.state_dir is not None
    try:
        return int((settings.state_dir / f"{settings.name}.pid").read_text())
    except (OSError, ValueError):
        return 0


def _state(pid: int) -> str:
    """Return the state of a process as ``ps`` shows it; "" where it cannot be seen."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _owner(state_dir: Path) -> str:
    try:
        return f"“{state_dir.owner()}”"
    except (OSError, KeyError):  # the path leads through a closed folder, or its owner has no name here
        return "the daemon's user"

"""The control socket: one JSON object a line, answered by one. Only our own user and root are heard."""

import os
import pwd
import socket
import struct
from contextlib import suppress
from pathlib import Path

from .control_connection import ControlConnection, Request
from .loop import READ, Loop

MAX_CLIENTS = 256
ACCEPT_AGAIN_S = 0.5


class ControlSocket:
    """Listens at STATE_DIR/NAME.sock, mode 0600; bound relative to the folder, since AF_UNIX paths end at 107 bytes."""

    def __init__(self, loop: Loop, state_dir: Path, name: str, on_request: Request) -> None:
        self._loop = loop
        self._on_request = on_request
        self._clients: set[ControlConnection] = set()
        self._users = {uid: _user_name(uid) for uid in (0, os.geteuid())}
        self._path = state_dir / f"{name}.sock"
        self._inode = 0

    def open(self) -> None:
        """Listen."""
        self._socket = self._bind()
        self._listen()

    def _bind(self) -> socket.socket:
        """Take the place of what is at the path: a dead daemon left it, as we hold the lock."""
        fresh = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            self._path.unlink(missing_ok=True)
            folder = os.open(self._path.parent, os.O_PATH | os.O_CLOEXEC)
            try:
                fresh.bind(f"/proc/self/fd/{folder}/{self._path.name}")
            finally:
                os.close(folder)
            self._inode = self._path.stat().st_ino
        except OSError:
            fresh.close()
            raise
        finally:
            os.umask(mask)
        fresh.setblocking(False)
        fresh.listen(256)
        return fresh

    def is_in_place(self) -> bool:
        """Return whether who connects at that path reaches us."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def reopen(self) -> None:
        """Listen at the path again; who is connected stays so."""
        fresh = self._bind()
        self._stop_listening()
        self._socket = fresh
        self._listen()

    def _listen(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.watch(self._socket.fileno(), READ, self._accept)

    def close(self) -> None:
        """Stop listening and take the socket away."""
        self._stop_listening()
        if self.is_in_place():
            with suppress(OSError):  # the folder may not let us any more
                self._path.unlink()
        for connection in tuple(self._clients):
            connection.close()

    def _stop_listening(self) -> None:
        self._loop.unwatch(self._socket.fileno())
        self._socket.close()

    def _accept(self, _: int) -> None:
        try:
            connection, _address = self._socket.accept()
        except OSError:  # gone again, or no descriptors are left: later, or the loop would spin
            self._loop.unwatch(self._socket.fileno())
            self._loop.call_in(ACCEPT_AGAIN_S, self._listen)
            return
        user = self._users.get(_peer_uid(connection))
        if user is None or len(self._clients) >= MAX_CLIENTS:
            connection.close()
            return
        self._clients.add(ControlConnection(self._loop, connection, user, self._on_request, self._clients.discard))


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _peer_uid(connection: socket.socket) -> int:
    size = struct.calcsize("3i")
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)

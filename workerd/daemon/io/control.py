"""The control socket: each request is a line of JSON, and so is each answer. Only our user and root may connect."""

import os
import pwd
import socket
import struct
from contextlib import suppress

from .control_connection import ControlConnection, Peer, Request
from .files import StrPath
from .loop import READ, Loop

MAX_CLIENTS = 256
FULL = (
    b'{"ok": false, "error": "the daemon serves %d clients already: end a tail or an order that waits"}\n' % MAX_CLIENTS
)
ACCEPT_AGAIN_S = 0.5
"""The pause after a connection could not be accepted."""


class ControlSocket:
    """Listens at STATE_DIR/NAME.sock, mode 0600."""

    def __init__(self, loop: Loop, state_dir: StrPath, name: str, on_request: Request) -> None:
        self._loop = loop
        self._on_request = on_request
        self._clients: set[ControlConnection] = set()
        self._users = {uid: _user_name(uid) for uid in (0, os.geteuid())}
        self._folder = os.fspath(state_dir)
        self._name = f"{name}.sock"
        self._path = os.path.join(self._folder, self._name)
        self._inode = 0

    def open(self) -> None:
        self._socket = self._bind()
        self._listen()

    def _bind(self) -> socket.socket:
        """Bind a new socket at the path. A file there was left by a dead daemon, since this one holds the lock."""
        fresh = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            with suppress(FileNotFoundError):
                os.unlink(self._path)
            folder = os.open(self._folder, os.O_PATH | os.O_CLOEXEC)
            try:
                fresh.bind(f"/proc/self/fd/{folder}/{self._name}")  # the path itself may exceed AF_UNIX's 107 bytes
            finally:
                os.close(folder)
            self._inode = os.lstat(self._path).st_ino
        except OSError:
            fresh.close()
            raise
        finally:
            os.umask(mask)
        fresh.setblocking(False)
        fresh.listen(256)
        return fresh

    def is_in_place(self) -> bool:
        """Return whether the socket at the path is still the one of this daemon."""
        try:
            return os.lstat(self._path).st_ino == self._inode
        except OSError:
            return False

    def reopen(self) -> None:
        """Listen at the path again. Connections that are open stay open."""
        fresh = self._bind()
        self._stop_listening()
        self._socket = fresh
        self._listen()

    def _listen(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.watch(self._socket.fileno(), READ, self._accept)

    def close(self) -> None:
        """Stop listening, remove the socket and hang up on every client."""
        self._stop_listening()
        if self.is_in_place():
            with suppress(OSError):  # the folder may no longer be writable
                os.unlink(self._path)
        for connection in tuple(self._clients):
            connection.close()

    def _stop_listening(self) -> None:
        self._loop.unwatch(self._socket.fileno())
        self._socket.close()

    def _accept(self, _: int) -> None:
        try:
            connection, _address = self._socket.accept()
        except OSError:  # the client is gone, or no descriptor is free: without the pause the loop would spin
            self._loop.unwatch(self._socket.fileno())
            self._loop.call_in(ACCEPT_AGAIN_S, self._listen)
            return
        pid, uid = _peer(connection)
        user = self._users.get(uid)
        if user is None or not self._make_place():
            with connection, suppress(OSError):
                if user is not None:
                    connection.send(FULL, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            return
        peer = Peer(user, pid)
        self._clients.add(ControlConnection(self._loop, connection, peer, self._on_request, self._clients.discard))

    def _make_place(self) -> bool:
        """Return whether there is a place for a client; where none is free, hang up on the one that is idle longest.

        Clients that say nothing hold no place, then: whoever asks as soon as it has connected is always served.
        """
        if len(self._clients) < MAX_CLIENTS:
            return True
        idle = {client: since for client in self._clients if (since := client.idle_since) is not None}
        if not idle:
            return False
        min(idle, key=idle.__getitem__).close()
        return True


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _peer(connection: socket.socket) -> tuple[int, int]:
    """Return the pid and the uid of the client."""
    size = struct.calcsize("3i")
    pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(pid), int(uid)

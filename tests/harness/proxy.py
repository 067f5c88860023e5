"""A link to a server that a test can cut, silence or refuse, and that can lose the answer to a COMMIT."""

import contextlib
import random
import selectors
import socket
import struct
import threading
from collections.abc import Iterator

CHUNK_BYTES = 64 * 1024
LOOK_EVERY_S = 0.02
ABRUPTLY = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends a reset."""


class Proxy:
    """Forwards bytes between the clients that connect to ``port`` and a server; each session has a thread."""

    def __init__(self, host: str, port: int, seed: int = 0) -> None:
        self._server = (host, port)
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._sessions: set[_Session] = set()
        self._listener: socket.socket | None = None
        self._flowing = threading.Event()
        self._flowing.set()
        self.port = 0
        self.commit_loss = 0.0
        """How likely a session dies after the server has committed and before its client hears of it."""
        self.commits_lost = 0
        self.accept()

    # what is done to the link

    def accept(self) -> None:
        """Listen at the port that it had before, if it had one."""
        if self._listener is None:
            listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
            self.port = listener.getsockname()[1]
            self._listener = listener
            threading.Thread(target=self._take, args=(listener,), name="proxy", daemon=True).start()

    def refuse(self) -> None:
        """Refuse connections, and reset those that are there."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        self.cut()

    def cut(self) -> int:
        """Reset every session; return how many there were."""
        with self._lock:
            sessions = tuple(self._sessions)
        for session in sessions:
            session.cut()
        return len(sessions)

    def silence(self) -> None:
        """Forward nothing in any session, old or new, and close none: packets seem to vanish."""
        self._flowing.clear()

    def flow(self) -> None:
        """Forward again, beginning with what was held back."""
        self._flowing.set()

    def heal(self) -> None:
        """Be an ordinary link again."""
        self.commit_loss = 0.0
        self.flow()
        self.accept()

    def close(self) -> None:
        """Refuse for good."""
        self.flow()
        self.refuse()

    # what it does by itself

    def _take(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            session = _Session(client)
            with self._lock:
                is_refused = self._listener is not listener
                if not is_refused:
                    self._sessions.add(session)  # here, not in its thread: it must not escape a cut meanwhile
            if is_refused:
                session.close()
            else:
                threading.Thread(target=self._serve, args=(session,), name="proxy session", daemon=True).start()

    def _serve(self, session: "_Session") -> None:
        with self._until_closed(session):
            session.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._flowing.wait()
            try:
                session.connect(self._server)
                while self._forward(session):
                    pass
            except (OSError, ValueError):  # cut from another thread, or gone at one end
                return

    def _forward(self, session: "_Session") -> bool:
        ready = session.wait(LOOK_EVERY_S)
        self._flowing.wait()
        for source in ready:
            data = source.recv(CHUNK_BYTES)
            if not data:
                return False
            if source is session.client and self._is_to_be_lost(data):
                session.server.sendall(data)
                session.server.recv(CHUNK_BYTES)  # it is committed, and the client will not know
                self.commits_lost += 1
                return False
            (session.server if source is session.client else session.client).sendall(data)
        return True

    def _is_to_be_lost(self, data: bytes) -> bool:
        return bool(self.commit_loss) and b"commit" in data.lower() and self._random.random() < self.commit_loss

    @contextlib.contextmanager
    def _until_closed(self, session: "_Session") -> Iterator[None]:
        try:
            yield
        finally:
            session.close()
            with self._lock:
                self._sessions.discard(session)


class _Session:
    """One client's two sockets."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.server = socket.socket()
        self._selector = selectors.DefaultSelector()

    def connect(self, address: tuple[str, int]) -> None:
        self.server.connect(address)
        self.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for end in (self.client, self.server):
            self._selector.register(end, selectors.EVENT_READ)

    def wait(self, seconds: float) -> list[socket.socket]:
        return [key.fileobj for key, _ in self._selector.select(seconds)]  # type: ignore[misc]

    def cut(self) -> None:
        """Have both ends reset, from any thread; the session's own thread closes them."""
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABRUPTLY)
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._selector.close()
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABRUPTLY)
            end.close()

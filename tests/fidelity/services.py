"""The servers that cases need: a Redis, a PostgreSQL, and a receiver of what is sent over HTTP."""

import contextlib
import gzip
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.harness.backends.backend import BACKENDS, Databases
from tests.harness.backends.server import Address, ending_with_us, exchange, free_port
from tests.harness.waiting import eventually


class MissingServerError(Exception):
    """A server that a case needs is not installed here. The text says which."""


@contextlib.contextmanager
def open_redis(folder: Path) -> Iterator[str]:
    """Yield the URL of an empty Redis of the run's own."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise MissingServerError("redis-server is not installed (Debian: redis-server)")
    port = free_port()
    words = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(ending_with_us(words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: _pongs(port), within=60, what="Redis answers")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


def _pongs(port: int) -> bool:
    try:
        return exchange(Address("127.0.0.1", port, ""), b"PING\r\n").startswith(b"+")
    except OSError:
        return False


def redis_keys(url: str) -> dict[str, int]:
    """Return how much each key of a Redis holds."""
    import redis

    client: Any = redis.Redis.from_url(url)
    lengths = {"list": client.llen, "zset": client.zcard, "set": client.scard}
    with contextlib.closing(client):
        kinds = {key: client.type(key).decode() for key in client.scan_iter()}
        return {key.decode(): int(lengths[kind](key)) if kind in lengths else 1 for key, kind in kinds.items()}


def open_postgres(folder: Path) -> Databases:
    """Return the databases of a PostgreSQL of the tests' own, which runs; the caller closes it."""
    backend = BACKENDS["postgres-psycopg"]
    if missing := backend.missing():
        raise MissingServerError(missing)
    databases = Databases(backend, folder)
    assert databases.server is not None
    databases.server.ensure_started()
    return databases


@contextlib.contextmanager
def open_receiver() -> Iterator[tuple[str, list[bytes]]]:
    """Yield ``host:port`` of a server that answers every POST, and the bodies that it got."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            bodies.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

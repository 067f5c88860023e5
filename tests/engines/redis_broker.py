"""A Redis of the tests' own that keeps its tasks over a restart."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.harness.backends.server import Address, ending_with_us, exchange, free_port
from tests.harness.waiting import eventually

ENDS_WITHIN_S = 30.0


class RedisBroker:
    """It writes each change to a file in ``folder`` and reads it at its start."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            raise FileNotFoundError("redis-server is not installed (Debian: redis-server)")
        self._address = Address("127.0.0.1", free_port(), "")
        kept = ["--save", "", "--appendonly", "yes", "--dir", str(folder)]
        self._command = [binary, "--port", str(self._address.port), "--bind", "127.0.0.1", *kept]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._address.port}/0"

    def start(self) -> None:
        """Start it, and return when it answers."""
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(ending_with_us(self._command), stdout=quiet, stderr=quiet)
        eventually(self._answers, within=60, what="Redis answers")

    def stop(self) -> None:
        """Have it end in order, and return when it is gone."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(ENDS_WITHIN_S)

    def _answers(self) -> bool:
        return exchange(self._address, b"PING\r\n").startswith(b"+")  # while it reads its file it answers -LOADING


@contextlib.contextmanager
def open_redis_broker(folder: Path) -> Iterator[RedisBroker]:
    """Yield a Redis that runs."""
    broker = RedisBroker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()

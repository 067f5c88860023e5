"""Clocks of a process and all that it starts, which a test sets; the machine's own clocks stay."""

import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path

from tests.harness.backends.server import Server

SOURCE = Path(__file__).with_name("clock.c")


class WallClock:
    """A library that is preloaded, and the file that it reads; needs a C compiler. Processes differ in their files."""

    def __init__(self, folder: Path) -> None:
        self._library = folder / "clock.so"
        self._file = folder / "clock"
        self._file.write_bytes(bytes(mmap.PAGESIZE))
        compiler = shutil.which("cc")
        self.works = compiler is not None
        if compiler:
            subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", self._library, SOURCE, "-ldl"], check=True)
        with self._file.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    @property
    def env(self) -> dict[str, str]:
        """What a process needs in its environment to have this clock."""
        return {"LD_PRELOAD": str(self._library), "SOAK_CLOCK": str(self._file)} if self.works else {}

    def set_ahead(self, seconds: int) -> None:
        """Have it be ahead of the machine's clock by so many seconds, or behind it."""
        struct.pack_into("q", self._page, 0, seconds)

    def set_boot_ahead(self, seconds: float) -> None:
        """Have the boot-time clock be ahead of the machine's, as if the machine had slept; a wait is not shortened."""
        struct.pack_into("q", self._page, 8, int(seconds * 1e9))

    def set_boot_rate(self, rate: float) -> None:
        """Have the boot-time clock run at another rate: before the processes start, as it jumps."""
        struct.pack_into("q", self._page, 16, int(rate * 1e6))


def start_server(server: Server, clock: WallClock) -> None:
    """Start it with a wall clock that the soak sets."""
    for path in clock.env.values():
        Path(path).chmod(0o755)  # the server is another user's
    before = dict(os.environ)
    os.environ.update(clock.env)
    try:
        server.start()
    finally:
        os.environ.clear()
        os.environ.update(before)

"""The log of a soak's daemon: a file on the disk that may be full, read and emptied as it grows."""

import ctypes
import subprocess
import threading
import time
from pathlib import Path
from typing import IO

from tests.harness.log import Log

LOOK_EVERY_S = 0.02
CHUNK_BYTES = 1 << 20
PUNCH_HOLE = 0x01 | 0x02
"""FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE: what is read takes no room any more."""
NOISE = b'"event":"child.output"'
_libc = ctypes.CDLL(None, use_errno=True)


class FileLog(Log):
    """Follows its file until the daemon has ended. What children print is counted, and not kept."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.noise = 0
        self._path = path

    def target(self) -> IO[bytes]:
        """Return the file, empty."""
        self._path.write_bytes(b"")
        return self._path.open("ab")

    def begin(self, process: subprocess.Popen[str]) -> None:
        """Read it, until the process has ended."""
        self._reader = threading.Thread(target=self._follow, args=(process,), name="log", daemon=True)
        self._reader.start()

    def _follow(self, process: subprocess.Popen[str]) -> None:
        rest, over = b"", False
        with self._path.open("r+b", buffering=0) as file:
            while True:
                data = file.read(CHUNK_BYTES)
                if data:
                    *lines, rest = (rest + data).split(b"\n")
                    self._take(lines)
                    _libc.fallocate(file.fileno(), PUNCH_HOLE, ctypes.c_long(0), ctypes.c_long(file.tell()))
                elif over:
                    break
                else:
                    over = process.poll() is not None
                    time.sleep(LOOK_EVERY_S)
        if rest:
            self._take([rest])

    def _take(self, lines: list[bytes]) -> None:
        for line in lines:
            if NOISE in line:
                self.noise += 1
            else:
                self.add(line.decode(errors="replace"))

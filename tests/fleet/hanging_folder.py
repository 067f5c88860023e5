"""A folder that answers nobody: who looks at it waits in state D, and not even SIGKILL ends it.

It is a FUSE mount whose server takes each question and answers the first one alone, which the kernel asks itself.
"""

import ctypes
import os
import struct
import threading
from pathlib import Path

DEVICE = Path("/dev/fuse")
MS_NOSUID, MS_NODEV = 2, 4
MNT_FORCE, MNT_DETACH = 1, 2
INIT = 26
HEADER = "IIQ"
"""Of a question: its length, its kind, and its number."""
LIBC = ctypes.CDLL(None, use_errno=True)


def missing() -> str:
    """Say what this machine lacks for it, or nothing."""
    return "" if os.geteuid() == 0 and os.access(DEVICE, os.R_OK | os.W_OK) else f"{DEVICE} cannot be used"


class HangingFolder:
    """The mount. ``close`` takes it away, and with that whoever waits goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self._closed = False
        self._device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0"
        flags = MS_NOSUID | MS_NODEV
        if LIBC.mount(b"workerd-tests", os.fsencode(path), b"fuse", flags, options.encode()):
            number = ctypes.get_errno()
            os.close(self._device)
            raise OSError(number, os.strerror(number))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                question = os.read(self._device, 1 << 17)
            except OSError:  # ENODEV: it is not mounted any more
                return
            _, kind, number = struct.unpack_from(HEADER, question)
            if kind == INIT:
                answer = struct.pack("IIIIHHII32x", 7, 31, 0, 0, 16, 12, 1 << 16, 1)
                os.write(self._device, struct.pack("IiQ", 16 + len(answer), 0, number) + answer)

    def close(self) -> None:
        """Take it away; nothing, the second time. Nobody may ask whether it is there: that would wait, too."""
        if self._closed:
            return
        self._closed = True
        for how in (MNT_FORCE, MNT_DETACH):
            LIBC.umount2(os.fsencode(self.path), how)
        self._thread.join(10)
        os.close(self._device)
        self.path.rmdir()

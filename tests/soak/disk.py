"""The small disk for STATE_DIR and the daemon's log, which the soak fills: its bytes, or its inodes."""

import os
import subprocess
import time
from pathlib import Path

from tests.harness.small_disk import mount_disk, remount_disk, unmount_disk

KIB, INODES = 256 * 1024, 4096
FILL_WITHIN_S = 5.0


class Disk:
    """A tmpfs where it can be mounted, else a folder as any other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_small = not mount_disk(folder, kib=KIB, inodes=INODES)

    def fill(self) -> bool:
        """Leave no room for a byte more; the kernel refuses while somebody writes, so it is tried again."""
        deadline = time.monotonic() + FILL_WITHIN_S
        while time.monotonic() < deadline:
            state = os.statvfs(self.folder)
            used = (state.f_blocks - state.f_bfree) * state.f_frsize
            if self._remount(f"size={max(used, state.f_frsize)}"):
                return True
        return False

    def take_inodes(self) -> bool:
        """Leave no room for a file more."""
        state = os.statvfs(self.folder)
        return self._remount(f"nr_inodes={state.f_files - state.f_ffree}")

    def make_room(self) -> None:
        """Be as at the beginning."""
        if self.is_small:
            remount_disk(self.folder, f"size={KIB}k,nr_inodes={INODES}")

    def close(self) -> None:
        """Take it away."""
        if self.is_small:
            unmount_disk(self.folder)

    def _remount(self, options: str) -> bool:
        try:
            remount_disk(self.folder, options)
        except subprocess.CalledProcessError:
            return False
        return True

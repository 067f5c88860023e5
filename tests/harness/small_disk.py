"""A disk that is soon full: a tmpfs, which only root may mount."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, *, kib: int = 1024, inodes: int = 0) -> Iterator[Path]:
    """Yield ``folder``, with a disk of ``kib`` KiB and, unless 0, so many ``inodes``; skip where it cannot mount."""
    folder.mkdir()
    options = f"size={kib}k,mode=0700" + (f",nr_inodes={inodes}" if inodes else "")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a small disk needs root and the right to mount (uid {os.geteuid()}): {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def make_room(folder: Path, *, kib: int) -> None:
    """Have the small disk at ``folder`` hold ``kib`` KiB from now on."""
    subprocess.run(["mount", "-o", f"remount,size={kib}k", folder], check=True)

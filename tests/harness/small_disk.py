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
    if refusal := mount_disk(folder, kib=kib, inodes=inodes):
        pytest.skip(f"a small disk needs root and the right to mount (uid {os.geteuid()}): {refusal}")
    try:
        yield folder
    finally:
        unmount_disk(folder)


def mount_disk(folder: Path, *, kib: int, inodes: int = 0) -> str:
    """Make ``folder``, and a small disk there; return why it cannot be mounted, or ""."""
    folder.mkdir()
    options = f"size={kib}k,mode=0700" + (f",nr_inodes={inodes}" if inodes else "")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True, check=False
    )
    return done.stderr.strip() if done.returncode else ""


def unmount_disk(folder: Path) -> None:
    """Take the small disk away, whoever uses it still."""
    subprocess.run(["umount", "--lazy", folder], check=True)


def make_room(folder: Path, *, kib: int) -> None:
    """Have the small disk at ``folder`` hold ``kib`` KiB from now on."""
    remount_disk(folder, f"size={kib}k")


def remount_disk(folder: Path, options: str) -> None:
    """Change the small disk's limits; the kernel refuses those that are below what is in use."""
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True, capture_output=True)

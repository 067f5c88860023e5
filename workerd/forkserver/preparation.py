"""Prepares births: by prepare_to_fork(), or by one look where nothing was opened or started since.

Each page that the forkserver writes to after a fork is copied, and what was there before is the last child's alone. So
what a birth does not need is left undone: a whole preparation costs 400 pages.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress

from workerd.child import main as child
from workerd.child.inherited import find_sockets
from workerd.conf import get_settings
from workerd.forksafe import prepare_to_fork

from .sibling import SiblingFork


class Preparation:
    """Prepares each birth, and knows which signals its child restores, and how it is forked."""

    def __init__(self, siblings: SiblingFork | None) -> None:
        self._siblings = siblings
        self._prepared: tuple[object, ...] | None = None
        """The threads and the open files after the last preparation; None where the next one must be whole."""
        self.siblings: SiblingFork | None = None
        """The fork of siblings, where one may be forked now."""
        self.changed_signals: list[int] = []

    def prepare(self, descriptors: Sequence[int]) -> None:
        """Close what a child must not inherit; ``descriptors`` are its own. Raises UnsafeForkError as that does."""
        if self._prepared is not None and self._prepared == _look(descriptors):
            return
        self._prepared = None
        prepare_to_fork()
        find_sockets()
        self.changed_signals = child.changed_signals()
        self.siblings = self._siblings if self._siblings is not None and not self._siblings.obstacle() else None
        # The project's callables, and its other threads, may do anything at any time.
        if not get_settings().before_fork and (found := _look(descriptors)) is not None and len(found[0]) == 1:
            self._prepared = found


def _look(descriptors: Sequence[int]) -> tuple[list[str], list[str]] | None:
    """Return the threads, and the open files without ``descriptors``; None where /proc does not tell."""
    with suppress(OSError):
        return os.listdir("/proc/self/task"), [*_files(descriptors)]  # noqa: PTH208 - fast
    return None


def _files(descriptors: Sequence[int]) -> Iterator[str]:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - fast
        if int(name) not in descriptors:
            with suppress(FileNotFoundError):  # the folder itself, which is closed by now
                yield f"{name} {os.readlink(f'/proc/self/fd/{name}')}"  # noqa: PTH115 - fast

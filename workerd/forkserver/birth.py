"""One birth: prepared, then forked twice, so that the child becomes the daemon's own (it is a subreaper)."""

import os
from collections.abc import Sequence
from typing import NoReturn

from workerd.child import main as child
from workerd.forksafe import prepare_to_fork
from workerd.ledger.main import run_ledger
from workerd.observer.main import run_observer
from workerd.wire import exit_codes

from .bootstrap import Assignment

BUILTINS = {"workerd.ledger": run_ledger, "workerd.observer": run_observer}
"""Slots of our own: what their spec names, and what runs in their child."""


class BirthError(Exception):
    """The kernel gave no process."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"no process could be forked: {reason}. Look at the limits on processes and memory.")


def bear(assignment: Assignment, descriptors: Sequence[int]) -> None:
    """Fork a child that holds ``descriptors`` (channel, output, page) and waits for its licence.

    The only door to ``os.fork``. Raises UnsafeForkError where a connection would be inherited, BirthError where the
    kernel refuses.
    """
    prepare_to_fork()
    changed = child.changed_signals()
    try:
        middle = os.fork()
    except OSError as error:
        raise BirthError(error) from error
    if middle == 0:
        _fork_child_and_exit(assignment, descriptors, changed)
    _, status = os.waitpid(middle, 0)
    if status != 0:
        raise BirthError("the second fork failed")


def _fork_child_and_exit(assignment: Assignment, descriptors: Sequence[int], changed: Sequence[int]) -> NoReturn:
    """Fork the child and end at once, which makes it an orphan, and so the daemon's."""
    try:
        middle = os.getpid()
        if os.fork() == 0:
            os.close(assignment.channel.socket.detach())
            child.run_child(descriptors, child.Parents(assignment.load.daemon_pid, middle), changed, BUILTINS)
        os._exit(0)
    finally:
        os._exit(exit_codes.OWN_FAULT)

"""One birth: prepares the fork, then forks a child whose parent is the daemon."""

import errno
import os
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from workerd.child import main as child
from workerd.child.interpreter_end import flush_streams
from workerd.errors import WorkerdError
from workerd.ledger.main import run_ledger
from workerd.notifier.main import run_notifier
from workerd.wire import exit_codes

from .bootstrap import Assignment
from .preparation import Preparation

BUILTINS = {"workerd.ledger": run_ledger, "workerd.notifier": run_notifier}
"""workerd's own slots that need the project: the name in their spec, and the function that runs in their child."""


SCARCE = {errno.EAGAIN: "limit on processes", errno.ENOMEM: "memory"}
"""The kernel's answers to a fork that tell of something scarce, and what that is."""


class BirthError(WorkerdError):
    """The kernel could not fork a process."""

    def __init__(self, code: int) -> None:
        what = f" ({SCARCE[code]})" if code in SCARCE else ""
        super().__init__(f"fork failed, {os.strerror(code)}{what}")


class Newborn(NamedTuple):
    """The descriptors of a child (channel, stdout, stderr, page), and whether it is a spare."""

    descriptors: Sequence[int]
    is_spare: bool


def bear(assignment: Assignment, newborn: Newborn, preparation: Preparation) -> None:
    """Fork a child that waits for its licence.

    One fork does where siblings of this process can be forked, as the daemon is its parent; else it takes two.
    Raises UnsafeForkError where the child would inherit a connection, and BirthError where the kernel refuses.
    """
    # No child gets past the preparation: in a process that has loaded Django, workerd forks children here alone.
    preparation.prepare(newborn.descriptors)
    flush_streams()  # the child goes on with them, and must not write what is the forkserver's
    changed = preparation.changed_signals
    try:
        if preparation.siblings is None:
            _fork_twice(assignment, newborn, changed)
        elif preparation.siblings.fork() == 0:
            _become_child(assignment, newborn, None, changed)
    except OSError as error:
        raise BirthError(error.errno or errno.EAGAIN) from error


def _fork_twice(assignment: Assignment, newborn: Newborn, changed: Sequence[int]) -> None:
    """Fork a process that forks the child and ends at once, which makes the child an orphan.

    The kernel gives an orphan to the nearest ancestor that is a subreaper (prctl(2)): the daemon.
    """
    middle = os.fork()
    if middle == 0:
        _fork_child_and_exit(assignment, newborn, changed)
    _, status = os.waitpid(middle, 0)
    if status != 0:  # the process in the middle ends with what the kernel has answered to its fork
        raise BirthError(os.WEXITSTATUS(status) if os.WIFEXITED(status) else errno.EINTR)


def _fork_child_and_exit(assignment: Assignment, newborn: Newborn, changed: Sequence[int]) -> NoReturn:
    try:
        middle = os.getpid()
        if os.fork() == 0:
            _become_child(assignment, newborn, middle, changed)
        os._exit(0)
    except OSError as error:
        os._exit(error.errno or exit_codes.OWN_FAULT)
    finally:
        os._exit(exit_codes.OWN_FAULT)


def _become_child(assignment: Assignment, newborn: Newborn, middle: int | None, changed: Sequence[int]) -> NoReturn:
    try:
        # The forkserver's own channel: with a copy of it open here, the daemon would not see the forkserver's end.
        # detach() first, or the socket object would close the number again, when it may be another file's.
        os.close(assignment.channel.socket.detach())
        parents = child.Parents(assignment.load.daemon_pid, middle)
        child.run_child(newborn.descriptors, parents, changed, BUILTINS, is_spare=newborn.is_spare)
    finally:
        # Any exception ends here: it must not unwind into the forkserver's loop, of which this process is a copy.
        os._exit(exit_codes.OWN_FAULT)

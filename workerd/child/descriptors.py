"""Descriptors of workerd's own in a process that runs a project's code, which may close any number.

The kernel gives the lowest free number to the next file, such as a database connection. So ours are high up, and each
is looked at before it is used.
"""

import os
import stat
import sys

if sys.platform != "win32":  # ``workerd once`` may run there: descriptors stay where they are
    import fcntl
    import resource

HIGHEST = 1024
"""Below this number, as the kernel's table of a process's descriptors is as long as the highest number in it."""
ROOM = 32
_STREAMS = range(3)
"""The numbers of stdin, stdout and stderr."""


def lift(descriptor: int) -> int:
    """Move a descriptor to a high number that is closed on exec; return it, or ``descriptor`` if none is free."""
    if sys.platform == "win32":
        return descriptor
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = (HIGHEST if limit == resource.RLIM_INFINITY else min(limit, HIGHEST)) - ROOM
    try:
        lifted = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, max(3, lowest))
    except OSError:
        return descriptor
    os.close(descriptor)
    return lifted


def above_streams(descriptor: int) -> int:
    """Return ``descriptor``, moved up where it has got the number of a stream that the project has closed."""
    return lift(descriptor) if descriptor in _STREAMS else descriptor


class KnownFile:
    """The file that a descriptor is now, to be known again later."""

    def __init__(self, descriptor: int) -> None:
        self._identity = _identity(descriptor)

    def is_at(self, descriptor: int) -> bool:
        """Return whether ``descriptor`` is this file; False where it is closed, or another file's by now."""
        try:
            return _identity(descriptor) == self._identity
        except OSError:
            return False


def takes_prints(descriptor: int) -> bool:
    """Return whether printed text may go into what the job has put in the place of its stdout or stderr.

    A socket is most likely a database connection that got the number. What cannot be written to takes nothing either:
    Python would find out only when it writes out its buffer.
    """
    try:
        mode = os.fstat(descriptor).st_mode
        can_write = sys.platform == "win32" or fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except OSError:
        return False
    return can_write and not stat.S_ISSOCK(mode)


def _identity(descriptor: int) -> tuple[int, int]:
    if sys.platform == "win32":
        return 0, 0
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino

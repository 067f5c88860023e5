"""The terminal at which the daemon was started, if any, and whether it has gone since."""

import os
import signal


class Terminal:
    """The controlling terminal of the daemon's start, if any; one that “nohup” was asked to outlive counts as none."""

    def __init__(self) -> None:
        """Look before a handler of SIGHUP stands."""
        self._was_there = _is_there() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN

    @property
    def has_gone(self) -> bool:
        """Whether there was one and is none now: the kernel takes it away before it sends SIGHUP."""
        return self._was_there and not _is_there()


def _is_there() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True

"""The daemon's place in STATE_DIR: the lock that keeps another daemon out, and the socket that answers."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress

from workerd.daemon.io.control import ControlSocket
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.processes.lock import DaemonLock, LockHeldError, LockLostError
from workerd.daemon.processes.proc import find_running_daemon
from workerd.wire.config import DaemonConfig
from workerd.wire.private_folder import PRIVATE_FOLDER, why_not_private

LOOKS_S = 2.0


class StateDir:
    """Takes the lock before anything else; makes lock and socket anew where somebody has taken them away."""

    def __init__(self, config: DaemonConfig) -> None:
        """Raise DaemonRunsError where another daemon of this NAME runs, OSError where STATE_DIR cannot be used."""
        self._folder = config.state_dir
        self._check_private()
        self._lock = DaemonLock(self._folder, config.name)
        self._lock.acquire()
        if (pid := find_running_daemon(config.tree)) is not None:
            raise LockLostError(config.name, self._folder, pid)
        self._lock.sign()

    def watch(
        self,
        loop: Loop,
        log: EventLog,
        control: ControlSocket,
        on_back: Callable[[], None],
        on_displaced: Callable[[str], None],
    ) -> None:
        """Listen on the socket, and look from time to time whether lock and socket are still in place.

        ``on_back`` puts back what else was in STATE_DIR and may raise OSError; ``on_displaced`` is told that another
        daemon holds the lock in this one's place.
        """
        self._loop = loop
        self._log = log
        self._control = control
        self._on_back = on_back
        self._on_displaced = on_displaced
        self._lamented = ""
        self._displaced = False
        control.open()
        self._loop.call_in(LOOKS_S, self._look)

    def end(self) -> None:
        """Take the socket away; the kernel drops the lock with the process."""
        self._control.close()

    def _look(self) -> None:
        self._loop.call_in(LOOKS_S, self._look)
        places: dict[str, DaemonLock | ControlSocket] = {"lock": self._lock, "socket": self._control}
        missing = [name for name, place in places.items() if not place.is_in_place()]
        if not missing:
            self._displaced = False
            return
        what = f"the {' and the '.join(missing)}"
        try:
            self._restore()
        except LockHeldError as error:
            self._yield_to(error)
        except OSError as error:
            self._lament(f"{what} went away and cannot be made anew, so that no command reaches this daemon: {error}")
        else:
            self._displaced, self._lamented = False, ""
            self._log.emit("state_dir.restored", state_dir=self._folder, reason=f"{what} went away")

    def _restore(self) -> None:
        with suppress(FileExistsError):
            os.mkdir(self._folder, PRIVATE_FOLDER)
        self._check_private()
        if not self._lock.is_in_place():
            self._lock.acquire()
            self._lock.sign()
        self._control.reopen()
        self._on_back()

    def _check_private(self) -> None:
        if reason := why_not_private(self._folder):
            raise PermissionError(errno.EPERM, reason, self._folder)

    def _yield_to(self, error: LockHeldError) -> None:
        """Tell of the other daemon that holds the lock, but only at the second look.

        A start that finds this daemon running and gives up holds the lock for a moment, too.
        """
        if self._displaced:
            self._on_displaced(f"another daemon has taken this one's place in STATE_DIR {self._folder}: {error}")
        self._displaced = True

    def _lament(self, reason: str) -> None:
        """Log the loss, once for each reason."""
        if reason != self._lamented:
            self._lamented = reason
            self._log.emit("state_dir.lost", state_dir=self._folder, reason=reason)

"""What shows in STATE_DIR that we run, and keeps another out: the lock, and the socket that answers."""

import errno
import os
from pathlib import Path

from workerd.wire.config import DaemonConfig

from .control import ControlSocket
from .lock import DaemonLock, DaemonRunsError, LockLostError
from .log import EventLog
from .loop import Loop
from .strays import all_pids, find_marked, find_master

LOOKS_S = 5.0


class Presence:
    """The lock is taken before anything else; both are made anew where somebody takes the folder away."""

    def __init__(self, config: DaemonConfig) -> None:
        """Raise DaemonRunsError where another daemon of this NAME runs, OSError where STATE_DIR cannot be used."""
        self._folder = Path(config.state_dir)
        self._lock = DaemonLock(self._folder, config.name)
        self._lock.take()
        if (master := find_master(find_marked(config.tree, all_pids()))) is not None:
            raise LockLostError(config.name, self._folder, master)
        self._owners = {os.geteuid(), self._folder.stat().st_uid}

    def begin(self, loop: Loop, log: EventLog, control: ControlSocket) -> None:
        """Listen, and look from time to time whether who looks for us finds us."""
        self._loop = loop
        self._log = log
        self._control = control
        self._said = ""
        control.open()
        self._loop.call_in(LOOKS_S, self._look)

    def end(self) -> None:
        """Take the socket away; the lock goes with the process."""
        self._control.close()

    def _look(self) -> None:
        self._loop.call_in(LOOKS_S, self._look)
        if self._lock.is_in_place() and self._control.is_in_place():
            return
        try:
            self._come_back()
        except (OSError, DaemonRunsError) as error:
            self._say(f"STATE_DIR {self._folder} was emptied, and no command reaches this daemon: {error}")
        else:
            self._say(f"STATE_DIR {self._folder} was emptied: the lock and the socket were made anew")
            self._said = ""

    def _come_back(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._folder.stat().st_uid not in self._owners:
            raise PermissionError(errno.EPERM, "it is another user's now", str(self._folder))
        if not self._lock.is_in_place():
            self._lock.take()
        self._control.reopen()

    def _say(self, reason: str) -> None:
        """Once, however often it is tried."""
        if reason != self._said:
            self._said = reason
            self._log.emit("daemon.degraded", reason=reason)

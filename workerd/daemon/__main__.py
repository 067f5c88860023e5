"""``python -m workerd.daemon FD``: what ``manage.py workerd run`` executes, with the config to be read from FD."""

import errno
import faulthandler
import os
import signal
import sys

from workerd.wire import exit_codes
from workerd.wire.config import DAEMON_VARIABLE, DaemonConfig

from .daemon import Daemon
from .processes.lock import DaemonRunsError

PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""Errors of STATE_DIR that pass without a change of settings, so that a later start may succeed."""


def main(argv: list[str]) -> int:
    """Read the config, be the daemon, return its exit code."""
    with os.fdopen(int(argv[1]), "rb") as file:
        config = DaemonConfig.from_json(file.read().decode())
    os.environ.pop(DAEMON_VARIABLE, None)  # it marks the daemon alone: no child may carry it
    os.closerange(3, max(256, _highest_descriptor() + 1))  # what libraries left open over the exec
    try:
        daemon = Daemon(config)
    except DaemonRunsError as error:
        sys.stderr.write(f"workerd: {error}\n")
        return exit_codes.TRY_LATER
    except OSError as error:
        if error.errno in PASSING:
            sys.stderr.write(f"workerd: STATE_DIR {config.state_dir} cannot be used now: {error}. Free its disk.\n")
            return exit_codes.OWN_FAULT
        remedy = "Make it a local folder that this user may write to."
        sys.stderr.write(f"workerd: STATE_DIR {config.state_dir} cannot be used: {error}. {remedy}\n")
        return exit_codes.REFUSED
    return daemon.run()


def _highest_descriptor() -> int:
    return max(map(int, os.listdir("/proc/self/fd")))


if __name__ == "__main__":
    faulthandler.enable()  # a service manager ends a daemon that hangs by SIGABRT: stderr then says where
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.exit(main(sys.argv))

"""``python -m workerd.daemon FD``: what ``manage.py workerd run`` executes, with the config to be read from FD."""

import faulthandler
import os
import signal
import sys

from workerd.wire import exit_codes
from workerd.wire.config import DAEMON_VARIABLE, DaemonConfig
from workerd.wire.state_dir_error import judge

from .daemon import Daemon
from .processes.lock import DaemonRunsError


def main(argv: list[str]) -> int:
    """Read the config, be the daemon, return its exit code."""
    with os.fdopen(int(argv[1]), "rb") as file:
        config = DaemonConfig.from_json(file.read().decode())
    os.environ.pop(DAEMON_VARIABLE, None)  # it marks the daemon alone: no child may carry it
    os.closerange(3, max(256, _highest_descriptor() + 1))  # descriptors that libraries left open over the exec
    try:
        daemon = Daemon(config)
    except DaemonRunsError as error:
        sys.stderr.write(f"workerd: {error}\n")
        return exit_codes.TRY_LATER
    except OSError as error:
        code, sentence = judge(config.state_dir, error)
        sys.stderr.write(f"workerd: {sentence}\n")
        return code
    return daemon.run()


def _highest_descriptor() -> int:
    return max(map(int, os.listdir("/proc/self/fd")))


if __name__ == "__main__":
    faulthandler.enable()  # a service manager ends a daemon that hangs by SIGABRT: stderr then says where
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.exit(main(sys.argv))

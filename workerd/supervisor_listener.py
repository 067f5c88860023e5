"""An event listener for supervisor: ends a daemon that hangs, so that supervisor starts it again.

supervisor itself only notices a process that exits. At each TICK_5 the listener asks the daemon's control socket for
an answer. It needs the supervisor package in its environment, and no Django.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .wire import exit_codes
from .wire.asking import ask

RUNNING = "RUNNING"
PATIENCE_S = 15.0
DUMP_WITHIN_S = 2.0
"""How long a hung daemon has after SIGABRT to write where it hangs; then it is killed."""
POLL_S = 0.05


def main(argv: Sequence[str] | None = None) -> int:
    """Listen until supervisor closes the standard input; return the exit code."""
    options = _parse(argv)
    try:
        from supervisor import childutils
    except ImportError:
        _log("the supervisor package is missing in this environment: pip install 'django-workerd[supervisor]'")
        return exit_codes.REFUSED
    while True:
        try:
            headers, _ = childutils.listener.wait(sys.stdin, sys.stdout)
        except KeyError:  # supervisor's childutils raises it at end-of-file
            return exit_codes.DONE
        if headers.get("eventname", "").startswith("TICK"):
            try:
                check_daemon(
                    childutils.getRPCInterface(os.environ).supervisor, options.program, options.socket, options.patience
                )
            except Exception as error:  # noqa: BLE001 - the border to supervisor: whatever it answers, the next tick tries again
                _log(f"could not check {options.program}, trying again at the next tick: {error!r}")
        childutils.listener.ok(sys.stdout)


def check_daemon(supervisor: Any, program: str, path: Path, patience_s: float) -> bool:
    """End the daemon if it runs and does not answer within ``patience_s``; return whether it was ended."""
    seen = supervisor.getProcessInfo(program)
    if seen["statename"] != RUNNING or not hangs(path, patience_s):
        return False
    now = supervisor.getProcessInfo(program)
    if (now["statename"], now["pid"]) != (RUNNING, seen["pid"]):
        return False  # it ended, or was asked to, while the listener waited: a signal would hit its successor
    _log(f"{program}, pid {now['pid']}, has not answered for {patience_s:g} s: ending it, supervisor starts it again")
    _end(supervisor, program, now["pid"])
    return True


def hangs(path: Path, patience_s: float) -> bool:
    """Return whether a daemon listens at the socket and does not answer in time."""
    try:
        ask(path.parent, path.stem, {"verb": "ping"}, patience_s)
    except TimeoutError:
        return True
    except (ConnectionResetError, ValueError):
        pass  # the daemon closed the connection without an answer: it does not hang
    except OSError as error:  # the daemon starts, has ended, or the path is wrong; supervisor sees the first two itself
        _log(f"no daemon answers at {path}: {error}")
    return False


def _end(supervisor: Any, program: str, pid: int) -> None:
    # Supervisor takes the end by either signal for unexpected, and starts the daemon again (autorestart=unexpected).
    # ABRT has faulthandler write where the daemon hangs. CONT follows, because a process that was stopped (SIGSTOP)
    # handles no other signal before it continues.
    for name in ("ABRT", "CONT"):
        supervisor.signalProcess(program, name)
    deadline = time.monotonic() + DUMP_WITHIN_S
    while supervisor.getProcessInfo(program)["pid"] == pid:
        if time.monotonic() > deadline:
            supervisor.signalProcess(program, "KILL")
            return
        time.sleep(POLL_S)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m workerd.supervisor_listener", description=__doc__)
    parser.add_argument("--program", default="workerd", help="the daemon's name in supervisor (default: workerd)")
    parser.add_argument("--socket", type=Path, required=True, help="the daemon's control socket, STATE_DIR/NAME.sock")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE_S,
        help="seconds that the daemon has to answer (default: %(default)g)",
    )
    return parser.parse_args(argv)


def _log(sentence: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())

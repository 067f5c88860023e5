"""What supervisor lacks, as an event listener of its: notices a daemon that hangs, and has it started again.

At each TICK_5 it asks the control socket for a sign of life. Needs supervisor's own package, and nothing of Django.
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
LAST_WORDS_S = 2.0
"""So long a hung daemon has to say where it hangs, after SIGABRT."""
POLL_S = 0.05


def main(argv: Sequence[str] | None = None) -> int:
    """Listen until supervisor hangs up; return the exit code."""
    options = _parse(argv)
    try:
        from supervisor import childutils
    except ImportError:
        _say("needs supervisor's package in this environment: pip install 'django-workerd[supervisor]'")
        return exit_codes.REFUSED
    while True:
        try:
            headers, _ = childutils.listener.wait(sys.stdin, sys.stdout)
        except KeyError:  # its way of reading end-of-file
            return exit_codes.DONE
        if headers.get("eventname", "").startswith("TICK"):
            try:
                look(
                    childutils.getRPCInterface(os.environ).supervisor, options.program, options.socket, options.patience
                )
            except Exception as error:  # noqa: BLE001 - the border to supervisor: whatever it answers, the next tick tries again
                _say(f"could not look after {options.program}: {error!r}")
        childutils.listener.ok(sys.stdout)


def look(supervisor: Any, program: str, path: Path, patience_s: float) -> bool:
    """Ask the daemon for a sign of life, if it runs; one that hangs is ended. Return whether it was."""
    seen = supervisor.getProcessInfo(program)
    if seen["statename"] != RUNNING or not hangs(path, patience_s):
        return False
    now = supervisor.getProcessInfo(program)
    if (now["statename"], now["pid"]) != (RUNNING, seen["pid"]):
        return False  # ended, or asked to, while we waited
    _say(f"{program}, pid {now['pid']}, has not answered for {patience_s:g} s: it is ended, to be started again")
    _end(supervisor, program, now["pid"])
    return True


def hangs(path: Path, patience_s: float) -> bool:
    """Return whether somebody listens at the socket and does not answer in time. Nobody there is another matter."""
    try:
        ask(path.parent, path.stem, {"verb": "ping"}, patience_s)
    except TimeoutError:
        return True
    except (ConnectionResetError, ValueError):
        pass  # it hung up on us: a sign of life
    except OSError as error:  # it starts, it has ended, or the path is wrong: supervisor sees the first two itself
        _say(f"no daemon answers at {path}: {error}")
    return False


def _end(supervisor: Any, program: str, pid: int) -> None:
    """Have it say where it hangs, also where it was stopped, then kill it: supervisor takes both for unexpected."""
    for name in ("ABRT", "CONT"):
        supervisor.signalProcess(program, name)
    deadline = time.monotonic() + LAST_WORDS_S
    while supervisor.getProcessInfo(program)["pid"] == pid:
        if time.monotonic() > deadline:
            supervisor.signalProcess(program, "KILL")
            return
        time.sleep(POLL_S)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m workerd.supervisor_listener", description=__doc__)
    parser.add_argument("--program", default="workerd", help="the daemon's name in supervisor (default: workerd)")
    parser.add_argument("--socket", type=Path, required=True, help="its control socket, STATE_DIR/NAME.sock")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_S, help="seconds it has to answer (default: %(default)g)"
    )
    return parser.parse_args(argv)


def _say(sentence: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())

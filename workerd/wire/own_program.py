"""The start and the end of a program of workerd's own that the daemon has executed; the project is not loaded."""

import faulthandler
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from . import WIRE_VERSION, exit_codes
from .channel import Channel
from .messages import DUMP_SIGNAL
from .page import HeartbeatPage

STDOUT = 1


def run_own_program(name: str, run: Callable[[Channel, HeartbeatPage], int]) -> NoReturn:
    """Call ``run`` with what ``VERSION CHANNEL PAGE`` of the command line name, and end with its exit code."""
    code = _run(name, run, sys.argv)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the daemon is gone, and nobody reads
            stream.flush()
    os._exit(code)  # a thread that waits for another process must not hold up the end


def _run(name: str, run: Callable[[Channel, HeartbeatPage], int], argv: list[str]) -> int:
    version, channel, page = map(int, argv[1:])
    if version != WIRE_VERSION:  # its files have been replaced since the daemon started
        sys.stderr.write(f"The {name} is another version of workerd than the daemon: restart the service.\n")
        return exit_codes.FAILED
    for descriptor in (channel, page):
        os.set_inheritable(descriptor, False)
    faulthandler.register(DUMP_SIGNAL, file=STDOUT, all_threads=True)
    return run(Channel.from_descriptor(channel), HeartbeatPage(page))

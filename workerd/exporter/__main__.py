"""``python -m workerd.exporter VERSION CHANNEL PAGE``: what the daemon executes. The project is not loaded."""

import faulthandler
import os
import sys
from contextlib import suppress

from workerd.wire import WIRE_VERSION, exit_codes
from workerd.wire.channel import Channel
from workerd.wire.messages import DUMP_SIGNAL
from workerd.wire.page import HeartbeatPage

from .main import run_exporter

STDOUT = 1


def main(argv: list[str]) -> int:
    """Take over the descriptors that came over the exec, export, return the exit code."""
    version, channel, page = map(int, argv[1:])
    if version != WIRE_VERSION:  # its files have been replaced since the daemon started
        sys.stderr.write("The exporter is another version of workerd than the daemon: restart the service.\n")
        return exit_codes.FAILED
    for descriptor in (channel, page):
        os.set_inheritable(descriptor, False)
    faulthandler.register(DUMP_SIGNAL, file=STDOUT, all_threads=True)
    return run_exporter(Channel.from_descriptor(channel), HeartbeatPage(page))


if __name__ == "__main__":
    code = main(sys.argv)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the daemon is gone, and nobody reads
            stream.flush()
    os._exit(code)  # a thread that waits for the collector must not hold up the end

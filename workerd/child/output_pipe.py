"""The pipe by which rendered lines leave a process: the one of its stdout, under a number of workerd's own."""

import os
import select

from .descriptors import KnownFile, lift


class OutputPipe:
    """Takes packets, and drops them where the process has the pipe no longer: they are nobody else's."""

    def __init__(self) -> None:
        self.descriptor = -1
        self._file: KnownFile | None = None

    def take(self, pipe: int) -> None:
        """Write into ``pipe``, a descriptor that stays the caller's, from now on."""
        if self._file is not None and self._file.is_at(self.descriptor):
            os.dup2(pipe, self.descriptor, inheritable=False)
        else:
            self.descriptor = lift(os.dup(pipe))
        self._file = KnownFile(pipe)

    def write(self, packet: bytes) -> None:
        """Write ``packet``, waiting for room; a packet of at most 4096 bytes is written whole or not at all."""
        for descriptor in (self.descriptor, 1):
            if self._file is not None and self._file.is_at(descriptor):
                _write(descriptor, packet)
                return


OUTPUT = OutputPipe()
"""This process's. A forked one goes on with it, until it takes a pipe of its own."""


def _write(descriptor: int, packet: bytes) -> None:
    while packet:
        try:
            packet = packet[os.write(descriptor, packet) :]
        except BlockingIOError:
            # The job, or a library of it, made the descriptor non-blocking, and the pipe is full: wait for room.
            poller = select.poll()
            poller.register(descriptor, select.POLLOUT)
            poller.poll()
        except OSError:  # the daemon is gone and nobody reads, or the job has just closed it: no error of the job
            return

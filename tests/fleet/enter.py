"""Runs a command in a network namespace and under a host name: ``enter.py NAMESPACE HOST COMMAND...``."""

import ctypes
import os
import socket
import sys

CLONE_NEWUTS, CLONE_NEWNET = 0x04000000, 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def enter_network(path: str) -> None:
    """Move the calling thread into the network namespace at ``path``; sockets stay in the one they were made in."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(LIBC.setns(descriptor, CLONE_NEWNET))
    finally:
        os.close(descriptor)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    _, namespace, host, *command = sys.argv
    enter_network(f"/run/netns/{namespace}")
    _check(LIBC.unshare(CLONE_NEWUTS))
    socket.sethostname(host)
    os.execvp(command[0], command)

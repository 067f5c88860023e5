"""Jobs that close descriptors which are not theirs, as one that becomes a daemon does, and open sockets after it."""

import json
import logging
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from workerd import JobContext, job
from workerd.wire.messages import DUMP_SIGNAL

SOCKETS = 600


class Sockets:
    """Open sockets at every low number; each is a stand-in for a database connection."""

    def __init__(self) -> None:
        self.ends: list[socket.socket] = []
        for _ in range(SOCKETS // 2):
            self.ends += socket.socketpair()
        for end in self.ends:
            end.setblocking(False)

    def received(self) -> list[str]:
        return [repr(text) for end in self.ends if (text := _read(end))]


def _read(end: socket.socket) -> bytes:
    try:
        return end.recv(100)
    except BlockingIOError:
        return b""


def _write_everywhere(context: JobContext) -> None:
    for _ in range(3):
        print("printed")
        logging.getLogger("shop").error("logged")
        context.log.error("structured")
    print("half", end="", flush=True)
    context.beat("working")
    context.ready()
    context.recycle()
    os.kill(os.getpid(), DUMP_SIGNAL)
    os.kill(os.getpid(), signal.SIGTERM)
    subprocess.run(["true"], check=True)


@job
def close_descriptors(context: JobContext, first: int, file: str, last: int = 65536) -> None:
    """Close all from ``first`` on, take their numbers, write all that can be written, and tell what the sockets got."""
    os.closerange(first, last)
    sockets = Sockets()
    _write_everywhere(context)
    stopped = context.wait(60)
    child = os.fork()
    if child == 0:
        print("printed in a fork")
        os._exit(len(sockets.received()))
    _, status = os.waitpid(child, 0)
    told: dict[str, Any] = {"stopped": stopped, "received": sockets.received(), "fork": status}
    told["lowest"] = min(end.fileno() for end in sockets.ends)
    Path(file).write_text(json.dumps(told))
    raise ValueError("at the end")


@job
def close_its_streams(context: JobContext) -> None:
    """Close stdout and stderr alone; rendered lines have a descriptor of their own."""
    os.close(1)
    os.close(2)
    logging.getLogger("shop").error("logged")
    context.log.error("structured")


@job
def send_its_streams_elsewhere(context: JobContext, file: str) -> None:
    """Put a file of its own in the place of stdout; only printed text belongs there."""
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY)
    os.dup2(descriptor, 1)
    print("printed")
    os.closerange(3, 65536)
    logging.getLogger("shop").error("unheard")
    os.write(2, b"to stderr\n")


@job
def have_what_only_reads_for_stdout(context: JobContext) -> None:
    """Let a file that it reads get the number of stdout."""
    os.close(1)
    assert os.open(os.devnull, os.O_RDONLY) == 1
    print("printed")
    logging.getLogger("shop").error("logged")


@job
def close_all_but_its_streams(context: JobContext) -> None:
    os.closerange(3, 65536)
    print("printed")
    logging.getLogger("shop").error("logged")

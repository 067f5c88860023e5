"""The forkserver's first steps, before Django's apps are ready: the daemon's first message, logging, fork safety.

Fork safety stands this early so that it sees a connection that some app's ``ready()`` opens.
"""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from workerd.wire import exit_codes
from workerd.wire.channel import Channel
from workerd.wire.messages import Load, Rehearse
from workerd.wire.spec import JobSpec

from . import garbage

CHANNEL_OPTION = "--channel"


@dataclass(frozen=True, slots=True)
class Assignment:
    """The daemon's first messages (which daemon and generation, which jobs), their channel, and whom they came to."""

    channel: Channel
    load: Load
    jobs: tuple[JobSpec, ...]
    pid: int


_assignment: Assignment | None = None


def is_forkserver(argv: list[str]) -> bool:
    """Return whether this process was started as ``manage.py workerd forkserver --channel N``, and by a daemon.

    A process that a job starts may have got these words from its ``sys.argv`` when the project was loaded.
    """
    if argv[1:3] != ["workerd", "forkserver"] or CHANNEL_OPTION not in argv[:-1]:
        return False
    try:
        channel = socket.socket(fileno=int(argv[argv.index(CHANNEL_OPTION) + 1]))
    except (OSError, ValueError):
        return False
    try:
        pid, _, _ = struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return bool(pid == os.getppid())
    except OSError:
        return False
    finally:
        channel.detach()  # the descriptor is not this function's to close


def start() -> Assignment:
    """Receive the daemon's first messages and install logging and fork safety; later calls return the same.

    Exits the process where no daemon has started it, or where that daemon has ended.
    """
    global _assignment
    if _assignment is None:
        try:
            channel = Channel.from_descriptor(int(sys.argv[sys.argv.index(CHANNEL_OPTION) + 1]))
            os.set_inheritable(channel.fileno(), False)  # it came through an exec; no program started later gets it
            message, _ = channel.receive()
            # All of them now: a socket that is closed with something unread in it loses what was sent by it.
            jobs = tuple(_receive_jobs(channel, message.jobs)) if isinstance(message, Load) else ()
        except (OSError, ValueError) as error:
            sys.stderr.write(f"forkserver is an internal verb: the daemon starts it ({error}).\n")
            os._exit(exit_codes.USAGE)
        if not isinstance(message, Load) or os.getppid() != message.daemon_pid:
            os._exit(0)  # end-of-file, or another parent: the daemon has ended
        _assignment = Assignment(channel, message, jobs, os.getpid())
        garbage.rest()
        _install(message)
    return _assignment


def _receive_jobs(channel: Channel, count: int) -> Iterator[JobSpec]:
    for _ in range(count):
        message, _ = channel.receive()
        if isinstance(message, Rehearse):
            yield JobSpec.from_dict(message.spec)


def _install(load: Load) -> None:
    from workerd import forksafe
    from workerd.child.output_pipe import OUTPUT
    from workerd.child.process_log import make_log

    OUTPUT.take(1)
    make_log({"generation": load.generation}, load.mark)
    forksafe.install(f"workerd {load.log_name} forkserver")

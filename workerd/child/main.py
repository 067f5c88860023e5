"""A child from its first instruction to its last: leaves the forkserver's group, waits for its licence, runs, exits."""

import faulthandler
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from workerd import forksafe
from workerd.wire import exit_codes, prctl
from workerd.wire.channel import Channel
from workerd.wire.messages import DUMP_SIGNAL, Born, License, Loaded
from workerd.wire.page import HeartbeatPage
from workerd.wire.spec import JobSpec

from .beats import of_this_thread
from .descriptors import above_streams, lift
from .inherited import leave_inheritance
from .interpreter_end import flush_streams
from .output_pipe import OUTPUT
from .process_setup import set_up
from .run import run_job
from .stdio import connect_streams
from .warm_up import warm_up_process

Builtin = Callable[[Channel, HeartbeatPage, License], int]
REPARENTING_POLL_S = 0.0001


@dataclass(frozen=True, slots=True)
class Parents:
    """The pids of the daemon, and of the process in the middle that forks a child for it to adopt; None for none."""

    daemon: int
    middle: int | None


def changed_signals() -> list[int]:
    """Return the signals whose handlers are not those of a fresh interpreter.

    The forkserver calls this before the fork: a look at every signal would make a child copy many pages.
    """
    fresh = {signal.SIGPIPE: signal.SIG_IGN, signal.SIGXFSZ: signal.SIG_IGN, signal.SIGINT: signal.default_int_handler}
    return [n for n in signal.valid_signals() if signal.getsignal(n) is not fresh.get(n, signal.SIG_DFL)]


def run_child(
    descriptors: Sequence[int],
    parents: Parents,
    changed: Sequence[int],
    builtins: Mapping[str, Builtin],
    *,
    is_spare: bool,
) -> NoReturn:
    """Run as the child that holds ``descriptors`` (channel, stdout, stderr, page), and exit.

    ``changed`` are the signals to restore; ``builtins`` are workerd's own slots, by the name in their spec.
    A spare has time to warm up; for another child somebody waits, who would wait for that, too.
    """
    code = exit_codes.OWN_FAULT
    try:
        channel, page = _leave_forkserver(descriptors, parents, changed)
        channel.send(Born(os.getpid()))
        if is_spare:
            warm_up_process()
        message, _ = channel.receive()
        # No licence means end-of-file: the daemon withdrew the birth, or is gone.
        code = _run(channel, page, message, builtins) if isinstance(message, License) else exit_codes.DONE
    except ConnectionError:
        code = exit_codes.DONE
    except BaseException:
        logging.getLogger("workerd.child").exception("a process could not be set up")
    finally:
        # A process that the job has forked comes here, too, when it ends by SystemExit or an exception.
        _exit(code)


def _leave_forkserver(
    descriptors: Sequence[int], parents: Parents, changed: Sequence[int]
) -> tuple[Channel, HeartbeatPage]:
    """Take the forkserver's signals, group, parent and output off this process; return its own channel and page."""
    # A module of the project may have set a wakeup descriptor when the forkserver imported it. A fork shares it: a
    # signal here would write into the forkserver's.
    signal.set_wakeup_fd(-1)
    for number in changed:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    # A group of its own: the daemon kills the group, and so all that the job has started.
    os.setpgid(0, 0)
    # PDEATHSIG fires when the process ends that is the parent now, at the time of the call (prctl(2)). With the middle
    # process as the parent it would fire at once: so wait until the daemon, a subreaper, has adopted this process.
    while os.getppid() == parents.middle:
        time.sleep(REPARENTING_POLL_S)
    prctl.die_with_parent()
    if os.getppid() != parents.daemon:
        # The daemon ended before the call above, so PDEATHSIG now waits for the end of another process, often PID 1.
        os._exit(exit_codes.DONE)
    # A module of the project may have blocked signals, too; a fork inherits the mask, and so does exec(2).
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    leave_inheritance()
    channel, stdout, stderr, page = map(above_streams, descriptors)
    connect_streams(stdout, stderr)
    return Channel.from_descriptor(lift(channel)), HeartbeatPage(page)


def _run(channel: Channel, page: HeartbeatPage, licence: License, builtins: Mapping[str, Builtin]) -> int:
    faulthandler.register(DUMP_SIGNAL, file=OUTPUT.descriptor, all_threads=True)
    spec = JobSpec.from_dict(licence.spec)
    builtin = builtins.get(spec.name)  # no row can have such a name: its dot is not allowed in a slug
    if builtin is None:
        return run_job(spec, licence, channel, page)
    # The ledger ends when the daemon tells it to or closes the channel. A TERM that a service manager sends to every
    # process must not end it before it has saved what it holds. The daemon kills one that hangs, which is its main
    # thread: the ledger's keeper asks the database, too, and goes on meanwhile.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    set_up(spec, licence, page, of_this_thread(page.beat))
    channel.send(Loaded())
    return builtin(channel, page, licence)


def _exit(code: int) -> NoReturn:
    try:
        forksafe.close_connections()  # without a goodbye the server counts an aborted client
        logging.shutdown()
        flush_streams()
        if code < 0:  # Python, too, ends by the signal of a Ctrl-C that nobody caught
            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
    finally:
        # Not sys.exit: it would unwind into the forkserver's manage.py.
        os._exit(code)

"""A child from first instruction to last: becomes the daemon's own, waits for its licence, runs, leaves by _exit."""

import faulthandler
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from workerd import forksafe
from workerd.wire import exit_codes, prctl
from workerd.wire.channel import Channel
from workerd.wire.dumping import DUMP_SIGNAL
from workerd.wire.messages import Born, License, Loaded
from workerd.wire.page import HeartbeatPage
from workerd.wire.spec import JobSpec

from .process_setup import set_up
from .run import run_job
from .warm_up import warm_up_process

Builtin = Callable[[Channel, HeartbeatPage, License], int]
REPARENTING_POLL_S = 0.0001


@dataclass(frozen=True, slots=True)
class Parents:
    """Whose child this is to be, and whose it is until that one has ended."""

    daemon: int
    middle: int


def changed_signals() -> list[int]:
    """Return the signals that a fresh interpreter would handle otherwise; asked before the fork, as it touches much."""
    usual = {signal.SIGPIPE: signal.SIG_IGN, signal.SIGXFSZ: signal.SIG_IGN, signal.SIGINT: signal.default_int_handler}
    return [n for n in signal.valid_signals() if signal.getsignal(n) is not usual.get(n, signal.SIG_DFL)]


def run_child(
    descriptors: Sequence[int], parents: Parents, changed: Sequence[int], builtins: Mapping[str, Builtin]
) -> NoReturn:
    """Live as the child that holds ``descriptors`` (channel, output, page), with the ``changed`` signals as usual."""
    code = exit_codes.OWN_FAULT
    try:
        channel, page = _settle(descriptors, parents, changed)
        channel.send(Born(os.getpid()))
        warm_up_process()
        message, _ = channel.receive()
        # anything but a licence is end-of-file: the wish was withdrawn, or the daemon is gone
        code = _run(channel, page, message, builtins) if isinstance(message, License) else exit_codes.DONE
    except ConnectionError:
        code = exit_codes.DONE
    except BaseException:
        logging.getLogger("workerd.child").exception("a child could not be set up")
    finally:
        _leave(code)


def _settle(
    descriptors: Sequence[int], parents: Parents, changed_signals: Sequence[int]
) -> tuple[Channel, HeartbeatPage]:
    """Signals as a fresh process has them, a group of its own, death with the daemon, output into the pipe."""
    signal.set_wakeup_fd(-1)
    for number in changed_signals:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    os.setpgid(0, 0)
    while os.getppid() == parents.middle:
        time.sleep(REPARENTING_POLL_S)
    prctl.die_with_parent()
    if os.getppid() != parents.daemon:  # it ended before the line above could arm anything
        os._exit(exit_codes.DONE)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    channel, output, page = descriptors
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    return Channel.from_descriptor(channel), HeartbeatPage(page)


def _run(channel: Channel, page: HeartbeatPage, licence: License, builtins: Mapping[str, Builtin]) -> int:
    faulthandler.register(DUMP_SIGNAL, file=1, all_threads=True)
    spec = JobSpec.from_dict(licence.spec)
    builtin = builtins.get(spec.name)  # no row can have such a name: it is no slug
    if builtin is None:
        return run_job(licence, channel, page)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # ours end by message; one that hangs is killed
    set_up(licence, page)
    channel.send(Loaded())
    return builtin(channel, page, licence)


def _leave(code: int) -> NoReturn:
    """Close our own connections (else the server notes an aborted client), flush, and never unwind into manage.py."""
    try:
        forksafe.close_connections()
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
    finally:
        os._exit(code)

"""Runs what every child runs, in the forkserver, until Python has specialised that code (PEP 659).

Code that is not specialised yet counts its calls in itself, and touches the name of each attribute that it looks up. A
child would have a copy of all those pages.
"""

import os
import uuid
from contextlib import closing, suppress

from workerd import signals, targets
from workerd.conf import get_settings
from workerd.registry import registered
from workerd.title import show_title
from workerd.wire.channel import Channel
from workerd.wire.messages import Born, License, Loaded
from workerd.wire.page import HeartbeatPage
from workerd.wire.spec import JobSpec

from .descriptors import KnownFile, lift
from .inherited import find_sockets
from .run import ChildSender, make_run, stop_signals
from .stopping import StopRequest

TIMES = 12
"""CPython 3.11 specialises a function at its eighth call, later releases sooner."""


def practise() -> None:
    """Go through the steps of a child that leave nothing behind."""
    for _ in range(TIMES):
        with suppress(Exception):  # what raises here raises in a child, too, which reports it
            practise_once()


def practise_once() -> None:
    """Do it once, and raise what it raises."""
    ours, theirs = Channel.pair()
    with closing(ours), closing(theirs), closing(HeartbeatPage.create()) as page:
        _live(ours, theirs, page)


def _live(daemon: Channel, child: Channel, page: HeartbeatPage) -> None:
    KnownFile(child.fileno()).is_at(child.fileno())
    os.close(lift(os.dup(child.fileno())))
    find_sockets()
    child.send(Born(os.getpid()))
    daemon.receive()
    name = get_settings().name
    show_title(f"workerd: {name} practice", "practice")
    spec = JobSpec("practice", target=next(iter(registered()), ""))
    daemon.send(License(spec.to_dict(), 0, str(uuid.UUID(int=0)), 0, "", "", ""))
    licence, _ = child.receive()
    assert isinstance(licence, License)
    spec = JobSpec.from_dict(licence.spec).for_slot(licence.index)
    with closing(StopRequest()) as stop:
        stop_signals(spec)
        run = make_run(licence, spec, page, stop, ChildSender(child), log=None)
        with suppress(targets.RowError):  # there is no job, or it needs arguments
            targets.resolve(spec)
        run.context.beat()
        signals.child_started.has_listeners()
        run.sender.send(Loaded())
        stop.ask()
        run.context.wait(1)

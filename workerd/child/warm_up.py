"""Runs the steps of a start without effect, in a spare that waits for its licence.

After a fork the kernel copies each page of Python's objects when the process first touches it. Most of that copying
happens here, and a restart does not wait for it.
"""

import signal
from contextlib import suppress

from workerd import signals, targets
from workerd.conf import get_settings
from workerd.registry import registered
from workerd.title import show_title
from workerd.wire.messages import License
from workerd.wire.packets import decode, encode
from workerd.wire.spec import JobSpec

from .stopping import StopRequest


def warm_up_process() -> None:
    """Touch what a start touches: signal handlers, a licence, resolved targets."""
    with suppress(Exception):  # an error here comes again in the job's own start, which reports it
        start_without_effect()


def start_without_effect() -> None:
    """Do the same, and raise what it raises."""
    show_title(f"workerd: {get_settings().name} spare", "spare")
    stop = StopRequest()
    stop.listen({signal.SIGTERM, signal.SIGINT})
    stop.close()
    signals.child_started.has_listeners()
    spec = JobSpec("warm-up", target=next(iter(registered()), ""))
    licence = decode(encode(License(spec.to_dict(), 0, "", 0, "", "", "")))
    assert isinstance(licence, License)
    targets.rehearse(given="warm-up")
    spec = JobSpec.from_dict(licence.spec).for_slot(0)
    with suppress(targets.RowError):  # there is no job, or it needs arguments
        targets.resolve(spec)

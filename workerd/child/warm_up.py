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
from workerd.wire.spec import JobSpec

from .logs import install_logging
from .rendering import LineRenderer
from .stdio import Stdio
from .stopping import StopRequest

_EVENT = {"timestamp": "", "level": "info", "event": "warmed up"}


def warm_up_process() -> None:
    """Touch what a start touches: signal handlers, streams, logging, a rendered line, a resolved target."""
    with suppress(Exception):  # an error here comes again in the job's own start, which reports it
        show_title(f"workerd: {get_settings().name} spare", "spare")
        stop = StopRequest()
        stop.listen({signal.SIGTERM, signal.SIGINT})
        stop.close()
        renderer, stdio = LineRenderer({}, 1000), Stdio("", lambda: None)
        stdio.replace_streams()
        install_logging(renderer, stdio)
        renderer.render(dict(_EVENT))
        signals.child_started.has_listeners()
        target = next(iter(registered()), "")
        targets.resolve(JobSpec.from_dict(JobSpec("warm-up", target=target).to_dict()))

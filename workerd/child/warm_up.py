"""What a newborn does while it waits for its licence: the steps of a start, to no effect.

After a fork each page of Python's objects is copied when it is first touched. Done here, most of that is off the path
of a restart.
"""

import signal
from contextlib import suppress

from workerd import signals, targets
from workerd.conf import get_settings
from workerd.registry import registered
from workerd.wire.spec import JobSpec

from .logs import install_logging
from .rendering import LineRenderer
from .stdio import Stdio
from .stopping import StopRequest
from .title import show_title

_EVENT = {"timestamp": "", "level": "info", "event": "rehearsed"}


def warm_up_process() -> None:
    """Listen for signals and stop, take streams and logging, render a line, ask for listeners, resolve some job."""
    with suppress(Exception):  # whatever it is, the job's own start will say it
        show_title(f"workerd: {get_settings().name} spare")
        stop = StopRequest()
        stop.listen({signal.SIGTERM, signal.SIGINT})
        stop.close()
        renderer, output = LineRenderer({}, 1000), Stdio("", lambda: None)
        output.take_streams()
        install_logging(renderer, output)
        renderer.render(dict(_EVENT))
        signals.child_started.has_listeners()
        target = next(iter(registered()), "")
        targets.resolve(JobSpec.from_dict(JobSpec("rehearsal", target=target).to_dict()))

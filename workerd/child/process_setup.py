"""Makes a process one slot's: its title, streams and logging, what beats, and the label of its database sessions."""

import os
from collections.abc import Callable
from typing import Any

from workerd.conf import get_settings
from workerd.forksafe.events import listeners
from workerd.forksafe.labels import label_sessions
from workerd.title import show_title
from workerd.wire.messages import License
from workerd.wire.page import HeartbeatPage
from workerd.wire.spec import JobSpec
from workerd.wire.trace_context import STATE_VARIABLE, TRACE_VARIABLE, traceparent
from workerd.wire.words import Heartbeat, slot_name

from .beats import beat_with_queries
from .identity import due_of, take_identity
from .log_queues import restart_listeners
from .process_log import take_log
from .run_mark import mark_process


def set_up(
    spec: JobSpec,
    license: License,  # noqa: A002 - the message's name
    page: HeartbeatPage,
    beat: Callable[[], None] | None = None,
) -> Any:
    """Set this process up for its slot, with its streams connected; return the log of our events.

    ``beat`` is what queries and lines give in place of the page's own.
    """
    slot = slot_name(spec.name, license.index, spec.processes)
    mark_process(license.run)
    take_identity(spec, license.index, license.run, due_of(license.due))
    if spec.heartbeat != Heartbeat.GROUP:
        os.register_at_fork(after_in_child=page.detach)  # a fork of the job gives no sign of the job's own life
    is_implicit = spec.heartbeat != Heartbeat.EXPLICIT
    beat = (beat or page.beat) if is_implicit else _no_beat
    identity = {"job": spec.name, "slot": slot, "run": license.run, "generation": license.generation}
    settings = get_settings()
    if settings.otlp_endpoint is not None:  # else its span would be the parent of others, and come nowhere
        os.environ[TRACE_VARIABLE] = traceparent(license.run)
        os.environ.pop(STATE_VARIABLE, None)
    log = take_log(identity, license.mark, beat, settings.log_level)
    restart_listeners()
    name = settings.name
    show_title(f"workerd: {name} {slot}", slot)
    label_sessions(f"{name} {slot}")
    if is_implicit:
        beat_with_queries(beat)
    listeners.update({"connection.opened": page.count_opened, "connection.closed": page.count_closed})
    return log


def _no_beat() -> None:
    pass

"""Renders an event as one line of JSON: workerd's fields first, then the event's own."""

import os
from collections.abc import Mapping, MutableMapping
from typing import Any, Protocol

import structlog

from workerd.wire.events import EVENT_KEYS
from workerd.wire.json_lines import as_text, render

from .secrets import SECRETS

format_exception = structlog.processors.format_exc_info
"""Turns an event's ``exc_info`` into the text ``exception``."""


class Renderer(Protocol):
    """Renders an event as a line."""

    def render(self, event: MutableMapping[str, Any]) -> bytes:
        """Return the line, without a newline."""


class LineRenderer:
    """Renders lines that carry the identity of one run.

    An event's own field that has the name of one of workerd's fields gets an underscore at its end: ``slot_``.
    """

    def __init__(self, identity: Mapping[str, Any], max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.identify(identity)

    def identify(self, identity: Mapping[str, Any]) -> None:
        """Have the lines from now on carry ``identity``."""
        self._identity = dict(identity)

    def render(self, event: MutableMapping[str, Any]) -> bytes:
        return render(self._ordered(event), self._max_bytes, own=(*EVENT_KEYS, "pid", *self._identity))

    def _ordered(self, event: MutableMapping[str, Any]) -> dict[str, Any]:
        fields = {name: event.pop(name) for name in EVENT_KEYS if name in event}
        if "event" in fields:
            fields["event"] = _masked(fields["event"])
        fields["pid"] = os.getpid()  # asked each time: a process that the job forks logs with a pid of its own
        fields.update(self._identity)
        for name, value in event.items():
            fields[f"{name}_" if name in fields else str(name)] = _masked(value)
        return fields


def _masked(value: Any) -> Any:
    """Return ``value``; where a secret is in it, the text of its JSON with a mask."""
    if not SECRETS or value is None or isinstance(value, int | float):
        return value
    text = as_text(value)
    masked = SECRETS.mask(text)
    return value if masked == text else masked

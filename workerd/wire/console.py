"""Renders an event for a terminal: in the daemon's log and in ``tail``."""

from collections.abc import Callable, MutableMapping
from typing import Any

Console = Callable[[Any, str, MutableMapping[str, Any]], Any]
"""What structlog's ConsoleRenderer is: called with a logger, a method's name and the fields."""


def format_event(console: Console, fields: MutableMapping[str, Any]) -> str:
    """Return an event's line: the time of day first, no ids. Tracebacks and stacks follow on lines of their own."""
    time_of_day = str(fields.pop("timestamp", ""))[11:23]
    blocks = [str(fields.pop(key)) for key in ("exception", "traceback", "stack") if fields.get(key)]
    if "slot" in fields:
        for key in ("run", "job", "generation"):  # the slot tells a person enough
            fields.pop(key, None)
    first = {key: fields.pop(key) for key in ("level", "event", "slot", "pid") if key in fields}
    return "\n".join([str(console(None, "", {"timestamp": time_of_day, **first, **fields})), *blocks])

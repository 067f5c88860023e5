"""Renders an event for a terminal: in the daemon's log and in ``tail``."""

from collections.abc import Callable, MutableMapping
from typing import Any

from .visible import visible, visible_lines

Console = Callable[[Any, str, MutableMapping[str, Any]], Any]
"""A renderer such as structlog's ConsoleRenderer: called with a logger, a method's name and the fields."""


def _visible(value: Any) -> Any:
    """Return a value of JSON of which no text steers the terminal."""
    if isinstance(value, str):
        return visible(value)
    return visible(repr(value)) if isinstance(value, list | dict) else value


def format_event(console: Console, fields: MutableMapping[str, Any]) -> str:
    """Return an event's line: the time of day first, no ids. Tracebacks and stacks follow on lines of their own.

    No text of a job, nor any name in it, steers the terminal.
    """
    time_of_day = visible(str(fields.pop("timestamp", ""))[11:23])
    blocks = [visible_lines(str(fields.pop(key))) for key in ("exception", "traceback", "stack") if fields.get(key)]
    fields = {visible(str(key)): _visible(value) for key, value in fields.items()}
    if "slot" in fields:
        for key in ("run", "job", "generation"):  # the slot tells a person enough
            fields.pop(key, None)
    first: dict[str, Any] = {key: fields.pop(key) for key in ("level", "event", "slot", "pid") if key in fields}
    return "\n".join([str(console(None, "", {"timestamp": time_of_day, **first, **fields})), *blocks])

"""How an event looks to a person: for the daemon at a terminal, and for ``tail``."""

from collections.abc import Callable, MutableMapping
from typing import Any

Console = Callable[[Any, str, MutableMapping[str, Any]], Any]
"""structlog's ConsoleRenderer, or its like."""


def format_event(console: Console, fields: MutableMapping[str, Any]) -> str:
    """Return the event's line: the time of day, no ids; tracebacks and stacks stand on lines of their own."""
    time_of_day = str(fields.pop("timestamp", ""))[11:23]
    blocks = [str(fields.pop(key)) for key in ("exception", "traceback", "stack") if fields.get(key)]
    if "slot" in fields:
        for key in ("run", "job", "generation"):  # the slot says it
            fields.pop(key, None)
    first = {key: fields.pop(key) for key in ("level", "event", "slot", "pid") if key in fields}
    return "\n".join([str(console(None, "", {"timestamp": time_of_day, **first, **fields})), *blocks])

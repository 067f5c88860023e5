"""Renders an event as one line of JSON: workerd's fields first, then the event's own.

A line is never too long, and a value that JSON does not know is written as its ``repr``: rendering raises no error.
"""

import json
import os
from collections.abc import Mapping, MutableMapping
from typing import Any, Protocol

import structlog

from workerd.wire.events import EVENT_KEYS

from .secrets import SECRETS

format_exception = structlog.processors.format_exc_info
"""Turns an event's ``exc_info`` into the text ``exception``."""
_CUT = "… [cut]"


class Renderer(Protocol):
    """Renders an event as a line."""

    def render(self, event: MutableMapping[str, Any]) -> bytes:
        """Return the line, without a newline."""


class LineRenderer:
    """Renders lines that carry the identity of one run.

    An event's own field that has the name of one of workerd's fields gets an underscore at its end: ``slot_``.
    """

    def __init__(self, identity: Mapping[str, Any], max_bytes: int) -> None:
        self._identity = dict(identity)
        self._max_bytes = max_bytes

    def render(self, event: MutableMapping[str, Any]) -> bytes:
        fields = self._ordered(event)
        line = _encode(fields)
        return line if len(line) <= self._max_bytes else self._shorten(fields, len(line))

    def _ordered(self, event: MutableMapping[str, Any]) -> dict[str, Any]:
        fields = {name: event.pop(name) for name in EVENT_KEYS if name in event}
        if "event" in fields:
            fields["event"] = _masked(fields["event"])
        fields["pid"] = os.getpid()  # asked each time: a process that the job forks logs with a pid of its own
        fields.update(self._identity)
        for name, value in event.items():
            fields[f"{name}_" if name in fields else str(name)] = _masked(value)
        return fields

    def _shorten(self, fields: Mapping[str, Any], size: int) -> bytes:
        """Cut each value to an equal share of the line; if that is still too long, keep workerd's own fields alone."""
        share = self._max_bytes // (len(fields) + 1) - 100
        short = {name: _cut(value, share) for name, value in fields.items()}
        line = _encode({**short, "cut_from_bytes": size}) if share > 0 else b""
        if line and len(line) <= self._max_bytes:
            return line
        kept = (*EVENT_KEYS, "pid", *self._identity)
        return _encode({name: _cut(fields[name], 2048) for name in kept if name in fields} | {"cut_from_bytes": size})


def _masked(value: Any) -> Any:
    """Return ``value``; where a secret is in it, the text of its JSON with a mask."""
    if not SECRETS or value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else _encode({"": value})[4:-1].decode()
    masked = SECRETS.mask(text)
    return value if masked == text else masked


def _encode(fields: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(fields, default=_fallback, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):  # a key that is not text, or a value that contains itself
        text = json.dumps({str(name): _plain(value) for name, value in fields.items()}, ensure_ascii=False)
    return text.encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else _fallback(value)


def _fallback(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - the project's __repr__ may raise anything; the event is worth more
        return f"<{type(value).__name__}: {type(error).__name__} in its repr>"


def _cut(value: Any, share: int) -> Any:
    """Return ``value``, or the beginning of its text that fits into ``share`` bytes of JSON."""
    if len(_encode({"": value})) <= share:
        return value
    text = value if isinstance(value, str) else _encode({"": value})[4:-1].decode()
    text = text[:share]
    # A character may take six bytes of JSON (\u0000), so the text is shortened until its JSON fits.
    while text and len(_encode({"": text})) > share:
        text = text[: len(text) * 3 // 4]
    return text + _CUT

"""An event as one line of JSON: the design's fields first, then its own; never too long, and never an error."""

import json
import os
from collections.abc import Mapping, MutableMapping
from typing import Any, Protocol

_FIRST = ("timestamp", "level", "event")
_CUT = "… [cut]"


class Renderer(Protocol):
    """Makes a line of an event."""

    def render(self, event: MutableMapping[str, Any]) -> bytes:
        """Return the line, without a newline."""


class LineRenderer:
    """Renders with the identity of one run; an event's own field of such a name gets an underscore behind it."""

    def __init__(self, identity: Mapping[str, Any], max_bytes: int) -> None:
        self._identity = dict(identity)
        self._max_bytes = max_bytes

    def render(self, event: MutableMapping[str, Any]) -> bytes:
        """Return the line, without a newline."""
        fields = self._ordered(event)
        line = _encode(fields)
        return line if len(line) <= self._max_bytes else self._shorten(fields, len(line))

    def _ordered(self, event: MutableMapping[str, Any]) -> dict[str, Any]:
        fields = {name: event.pop(name) for name in _FIRST if name in event}
        fields["pid"] = os.getpid()  # looked up each time: what a job forks logs too
        fields.update(self._identity)
        for name, value in event.items():
            fields[f"{name}_" if name in fields else str(name)] = value
        return fields

    def _shorten(self, fields: Mapping[str, Any], size: int) -> bytes:
        """Cut each value to its share of the line, then drop what is not ours."""
        share = self._max_bytes // (len(fields) + 1) - 100
        short = {name: _cut(value, share) for name, value in fields.items()}
        line = _encode({**short, "cut_from_bytes": size}) if share > 0 else b""
        if line and len(line) <= self._max_bytes:
            return line
        kept = (*_FIRST, "pid", *self._identity)
        return _encode({name: _cut(fields[name], 2048) for name in kept if name in fields} | {"cut_from_bytes": size})


def _encode(fields: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(fields, default=_fallback, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):  # a key that is no text, a circle: as JSON has no word for it
        text = json.dumps({str(name): _plain(value) for name, value in fields.items()}, ensure_ascii=False)
    return text.encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else _fallback(value)


def _fallback(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - the project's __repr__; the event matters more
        return f"<{type(value).__name__}: {type(error).__name__} in its repr>"


def _cut(value: Any, share: int) -> Any:
    """Return ``value``, or as much of its text as ``share`` bytes of JSON hold."""
    if len(_encode({"": value})) <= share:
        return value
    text = value if isinstance(value, str) else _encode({"": value})[4:-1].decode()
    text = text[:share]
    while text and len(_encode({"": text})) > share:
        text = text[: len(text) * 3 // 4]
    return text + _CUT

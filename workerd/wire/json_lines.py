"""One line of JSON, never too long. A value that JSON does not know is written as its ``repr``, without an error."""

import json
from collections.abc import Collection, Mapping
from typing import Any

LOG_LINE_BYTES = 48 * 1024 - 1
"""The longest line of the log, without its newline: journald splits longer ones (LineMax= of journald.conf)."""
OWN_BYTES = 2048
CUT = "… [%d characters cut] …"


def render(fields: Mapping[str, Any], max_bytes: int = LOG_LINE_BYTES, own: Collection[str] = ()) -> bytes:
    """Return ``fields`` as a line of at most ``max_bytes``, without a newline; the ``own`` ones are kept before others.

    Of a line that is too long the longest values are cut, so that all have as much room.
    """
    line = _encode(fields)
    if len(line) <= max_bytes:
        return line
    size = len(line)
    short = _encode({**_level(fields, max_bytes - 50), "cut_from_bytes": size})
    if len(short) <= max_bytes:
        return short
    return _encode({name: _cut(fields[name], OWN_BYTES) for name in own if name in fields} | {"cut_from_bytes": size})


def as_text(value: Any) -> str:
    """Return a text as it is, and any other value as its JSON."""
    return value if isinstance(value, str) else _encode({"": value})[4:-1].decode()


def _level(fields: Mapping[str, Any], room: int) -> dict[str, Any]:
    """Return the fields with their longest values cut to one length, so that they fit into ``room``."""
    sizes = {name: _size(name, value) for name, value in fields.items()}
    shares: dict[str, int] = {}
    for left, name in zip(range(len(sizes), 0, -1), sorted(sizes, key=sizes.__getitem__), strict=True):
        shares[name] = min(sizes[name], room // left)
        room -= shares[name]
    return {name: _cut(value, shares[name] - _size(name, 0) + _size("", 0)) for name, value in fields.items()}


def _cut(value: Any, share: int) -> Any:
    """Return ``value``, or both ends of its text that take ``share`` bytes of JSON; for a tiny share, neither."""
    if _size("", value) <= share:
        return value
    text = as_text(value)
    kept = min(len(text), share)
    while kept > 1:  # a character may take six bytes of JSON (\u0000), so as few are kept as fit
        short = text[: kept // 2] + CUT % (len(text) - kept // 2 * 2) + text[len(text) - kept // 2 :]
        size = _size("", short)
        if size <= share:
            return short
        kept = min(kept * share // size, kept - 50)
    return CUT % len(text)


def _size(name: str, value: Any) -> int:
    return len(_encode({name: value}))


def _encode(fields: Mapping[str, Any]) -> bytes:
    try:
        text = _ENCODER.encode(fields)
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


_ENCODER = json.JSONEncoder(default=_fallback, ensure_ascii=False, separators=(",", ":"))
"""Made once: ``json.dumps`` would make one for each line."""

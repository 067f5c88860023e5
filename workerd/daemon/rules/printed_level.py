"""The level that a printed line names for itself, where it has the shape of a known logger; prose names none."""

import json
import re
from typing import Any

LEVELS = {
    "debug": ("debug", "trace", "verbose"),
    "info": ("info", "information", "informational", "notice", "success"),
    "warning": ("warning", "warn"),
    "error": ("error", "err"),
    "critical": ("critical", "crit", "fatal", "panic", "emergency", "emerg", "alert"),
}
"""By the level of the log: the names that loggers have for it."""
NUMBERS = {1: "debug", 2: "debug", 3: "info", 4: "warning", 5: "error", 6: "critical"}
"""Those of pino and bunyan, in tens."""
KEYS = ("level", "levelname", "severity", "log.level", "lvl")
"""The names of the level in an object of JSON; the first one with a level counts."""

LOOKED_AT = 512
"""The bytes in which the level of a line stands, unless the line is JSON."""
JSON_BYTES = 16 * 1024
"""A longer object is not read: it would keep the daemon from its other children."""

_NAMED = {name.encode(): level for level, names in LEVELS.items() for name in names}
_QUOTED_KEYS = tuple(f'"{key}"'.encode() for key in KEYS)

_NAME = b"(?i:" + b"|".join(_NAMED) + b")"
_UPPER = b"(?:" + b"|".join(_NAMED).upper() + b")"
_WORD = rb"[A-Za-z]{3,13}+"
"""May be a level; it is looked up. Only where a line has several such places the pattern has the names."""
_TIME = (
    rb"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d"
    rb"(?:[.,]\d{1,9}+)?(?: ?(?:Z\b|UTC\b|[+-]\d\d:?\d\d))?"
)
# Only single characters are matched possessively: Python 3.11 does not go back in the text where a group fails.
_SHAPES = (
    rb"\[(?P<bracket>%(word)s)(?:/[^\]]{0,80}+)? *\]",  # [INFO/MainProcess] of multiprocessing, [error] of many
    rb"\[%(time)s: (?P<celery>%(word)s)/",  # [2024-01-01 10:00:00,000: WARNING/MainProcess]
    rb"\[%(time)s\] \[\d{1,10}+\] \[(?P<gunicorn>%(word)s)\]",  # [2024-01-01 10:00:00 +0000] [123] [INFO]
    rb"(?P<colon>[A-Z]{3,13}+|(?i:debug|info|warn(?:ing)?|error|fatal|critical|panic)):",  # ERROR:name:text
    rb"(?P<first>[A-Z]{3,13}+) +%(time)s",  # INFO 2024-01-01 10:00:00,000 of Django's own example
    # a time; perhaps the number or name of a process or logger; the level
    (
        rb"%(time)s(?: \d{1,10}+| \[[^\]]{1,60}+\]| +[-|] +[^\s|]{1,80}+(?= +[-|] )){0,2}?(?: +[-|])?\s++"
        rb"(?:\[ *(?P<inner>%(name)s) *\]|(?P<bare>%(upper)s)(?=[\s:]|$)|(?P<tabbed>%(name)s)\t)"
    ),
)
_LINE = re.compile(b"|".join(_SHAPES) % {b"word": _WORD, b"time": _TIME, b"name": _NAME, b"upper": _UPPER})
_LOGFMT = re.compile(
    rb'(?:[A-Za-z_@][\w.@/-]{0,60}+=(?:"[^"\\]*+(?:\\.[^"\\]*+)*"|[^\s"]*+) ++){0,12}?'
    rb'(?:level|severity|lvl)=(?P<quote>"?)(?P<word>%(word)s)(?P=quote)(?: |$)' % {b"word": _WORD}
)
_COLOURS = re.compile(rb"\x1b\[[0-9;]{0,20}+m")


def printed_level(line: bytes) -> str | None:
    """Return the level that ``line`` names in the shape of a logger, as the log calls it; None where it names none."""
    if line[:1] == b"{":
        return _of_json(line)
    head = line[:LOOKED_AT]
    if b"\x1b" in head:
        head = _COLOURS.sub(b"", head)
    if found := _LINE.match(head):
        return _NAMED.get(found[found.lastgroup or 0].lower())
    if b"=" in head and (found := _LOGFMT.match(head)):
        return _NAMED.get(found["word"].lower())
    return None


def _of_json(line: bytes) -> str | None:
    if len(line) > JSON_BYTES or not any(key in line for key in _QUOTED_KEYS):
        return None
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return next((level for key in KEYS if (level := _meant(said.get(key)))), None)


def _meant(said: Any) -> str | None:
    """Return the level that a value of JSON stands for: a name, or a number of pino's."""
    if isinstance(said, str):
        return _NAMED.get(said.strip().lower().encode("ascii", "replace"))
    return NUMBERS.get(said // 10) if isinstance(said, int) and not isinstance(said, bool) else None

"""Readers of the values of ``WORKERD``. Each raises ValueError or TypeError for what it cannot read."""

import logging
import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from .durations import parse_duration
from .job_rules.where import NAME, VALUE

CENTURY_S = 36525 * 86400.0
DOTTED = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
MOST_LABELS = 100


def read_name(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", value):
        raise ValueError
    return value


def read_path(value: Any) -> Path:
    if not isinstance(value, str | os.PathLike) or "\0" in str(value) or not Path(value).is_absolute():
        raise ValueError
    return Path(value)


def read_paths(value: Any) -> tuple[Path, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return tuple(map(read_path, value))


def read_database(value: Any) -> str:
    if not isinstance(value, str) or value not in settings.DATABASES:
        raise ValueError
    return value


def read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def read_seconds(low: float, high: float) -> Callable[[Any], float]:
    """Return a reader of seconds from ``low`` to ``high``; NaN is in no range."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError
        return float(value)

    return read


def read_whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError
        return value

    return read


def or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


def read_circle(value: Any) -> tuple[int, float]:
    """Return how many ends within how many seconds."""
    if not isinstance(value, list | tuple):
        raise TypeError
    count, seconds = value
    return read_whole(2, 1000)(count), read_seconds(1, CENTURY_S)(seconds)


def or_zero(read: Callable[[Any], float]) -> Callable[[Any], float]:
    return lambda value: 0.0 if value == 0 and not isinstance(value, bool) else read(value)


def read_retention(value: Any) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    elif isinstance(value, str):
        value = parse_duration(value)
    return read_seconds(0, CENTURY_S)(value)


def read_strings(pattern: str) -> Callable[[Any], tuple[str, ...]]:
    """Return a reader of lists of strings of a shape. A bare string is refused: it is a tuple that lacks its comma."""
    shape = re.compile(pattern)

    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise TypeError
        if not all(isinstance(item, str) and shape.fullmatch(item) for item in value):
            raise ValueError
        return tuple(value)

    return read


def read_labels(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError
    if len(value) > MOST_LABELS:
        raise ValueError
    for name, text in value.items():
        if not (isinstance(name, str) and isinstance(text, str) and NAME.fullmatch(name) and VALUE.fullmatch(text)):
            raise ValueError
    return dict(value)


def read_before_fork(value: Any) -> tuple[str | Callable[[], object], ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    if not all(callable(item) or (isinstance(item, str) and re.fullmatch(DOTTED, item)) for item in value):
        raise ValueError
    return tuple(value)


def read_log_format(value: Any) -> str:
    if value not in ("auto", "json", "console"):
        raise ValueError
    return str(value)


def read_log_level(value: Any) -> int:
    levels = logging.getLevelNamesMapping()
    if not isinstance(value, str) or value not in levels:
        raise ValueError
    return levels[value]


def read_bind(value: Any) -> str:
    match = re.fullmatch(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", value)
    if not match or not 1 <= int(match[2]) <= 65535:
        raise ValueError
    return str(value)


def read_url(value: Any) -> str:
    """Return the address of a server. A password does not belong there: it would stand in what the log says."""
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        raise ValueError
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError
    if parts.query or parts.fragment:
        raise ValueError
    if parts.port == 0:  # one that is no number raises ValueError by itself
        raise ValueError
    return value

"""The keys of ``WORKERD``: the default of each, how its value is read, and the remedy where it cannot be."""

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from .durations import parse_duration

_CENTURY_S = 36525 * 86400.0
_DOTTED = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
_SECRETS = ("password", "passwd", "passphrase", "secret", "token", "key", "credential", "dsn")


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``read`` returns the attribute's value; ValueError or TypeError says that it is not ``expected``."""

    attribute: str
    default: Any
    read: Callable[[Any], Any]
    expected: str
    remedy: str


def _read_name(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", value):
        raise ValueError
    return value


def _read_state_dir(value: Any) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or "\0" in str(value) or not Path(value).is_absolute():
        raise ValueError
    return Path(value)


def _read_database(value: Any) -> str:
    if not isinstance(value, str) or value not in settings.DATABASES:
        raise ValueError
    return value


def _read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _read_seconds(low: float, high: float) -> Callable[[Any], float]:
    """Return a reader of seconds from ``low`` to ``high``; NaN is in no range."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError
        return float(value)

    return read


def _read_whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError
        return value

    return read


def _or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


def _read_retention(value: Any) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    elif isinstance(value, str):
        value = parse_duration(value)
    return _read_seconds(0, _CENTURY_S)(value)


def _read_strings(pattern: str) -> Callable[[Any], tuple[str, ...]]:
    """Return a reader of lists of strings of a shape. A bare string is refused: it is a tuple that lacks its comma."""
    shape = re.compile(pattern)

    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise TypeError
        if not all(isinstance(item, str) and shape.fullmatch(item) for item in value):
            raise ValueError
        return tuple(value)

    return read


def _read_before_fork(value: Any) -> tuple[str | Callable[[], object], ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    if not all(callable(item) or (isinstance(item, str) and re.fullmatch(_DOTTED, item)) for item in value):
        raise ValueError
    return tuple(value)


def _read_log_format(value: Any) -> str:
    if value not in ("auto", "json", "console"):
        raise ValueError
    return str(value)


def _read_log_level(value: Any) -> int:
    levels = logging.getLevelNamesMapping()
    if not isinstance(value, str) or value not in levels:
        raise ValueError
    return levels[value]


def _read_bind(value: Any) -> str:
    match = re.fullmatch(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", value)
    if not match or not 1 <= int(match[2]) <= 65535:
        raise ValueError
    return str(value)


KEYS: Mapping[str, Key] = {
    "NAME": Key(
        attribute="name",
        default="workerd",
        read=_read_name,
        expected="a slug of at most 60 characters",
        remedy='Use letters, digits, - and _, such as "shop-workerd".',
    ),
    "STATE_DIR": Key(
        attribute="state_dir",
        default=None,
        read=_read_state_dir,
        expected="an absolute path",
        remedy='Name a directory on a local disk, such as "/var/lib/shop/workerd".',
    ),
    "DATABASE": Key(
        attribute="database",
        default="default",
        read=_read_database,
        expected="an alias in DATABASES",
        remedy="Name the alias of the database that holds workerd's tables.",
    ),
    "POLL_SECONDS": Key(
        attribute="poll_seconds",
        default=1.0,
        read=_read_seconds(0.01, 3600),
        expected="a number of seconds from 0.01 to 3600",
        remedy="1.0 is right unless edits may take longer to act.",
    ),
    "PRELOAD": Key(
        attribute="preload",
        default=(),
        read=_read_strings(_DOTTED),
        expected="a list of dotted module names",
        remedy='Write a list, such as ["shop.pricing"].',
    ),
    "TARGETS": Key(
        attribute="targets",
        default=(),
        read=_read_strings(r"[\w.*?\[\]!-]+"),
        expected="a list of dotted patterns",
        remedy='Write a list, such as ["shop.tasks.*"].',
    ),
    "COMMANDS": Key(
        attribute="commands",
        default=(),
        read=_read_strings(r"\w[\w-]*"),
        expected="a list of management commands' names without arguments",
        remedy='Write a list, such as ["db_worker"].',
    ),
    "BEFORE_FORK": Key(
        attribute="before_fork",
        default=(),
        read=_read_before_fork,
        expected="a list of callables or dotted paths to them",
        remedy='Write a list, such as ["shop.search.close_clients"].',
    ),
    "STRICT_FORK": Key(
        attribute="strict_fork",
        default=False,
        read=_read_flag,
        expected="True or False",
        remedy="True refuses to fork beside living threads.",
    ),
    "CONN_MAX_AGE": Key(
        attribute="conn_max_age",
        default=300.0,
        read=_or_none(_read_seconds(0, _CENTURY_S)),
        expected="a number of seconds, or None",
        remedy="0 closes connections after each turn, None keeps them for good.",
    ),
    "LOG_FORMAT": Key(
        attribute="log_format",
        default="auto",
        read=_read_log_format,
        expected='"auto", "json" or "console"',
        remedy='"auto" writes colours on a terminal and JSON elsewhere.',
    ),
    "HTTP_BIND": Key(
        attribute="http_bind",
        default=None,
        read=_or_none(_read_bind),
        expected='"HOST:PORT", or None',
        remedy='Write "127.0.0.1:9187" or "[::1]:9187".',
    ),
    "RUN_RETENTION": Key(
        attribute="run_retention_s",
        default=timedelta(days=30),
        read=_read_retention,
        expected='a timedelta, seconds, or text such as "30 d"',
        remedy="Use timedelta(days=30).",
    ),
    "SPOOL_MAX": Key(
        attribute="spool_max_bytes",
        default=64 * 2**20,
        read=_read_whole(2**20, 2**40),
        expected="a number of bytes from 1 MiB to 1 TiB",
        remedy="Use 64 * 1024 * 1024.",
    ),
    "MAX_UNAVAILABLE": Key(
        attribute="max_unavailable",
        default=None,
        read=_or_none(_read_whole(1, 1_000_000)),
        expected="a whole number from 1, or None",
        remedy="None is one slot in ten, and at least one.",
    ),
    "SECRET_KWARGS": Key(
        attribute="secret_kwargs",
        default=tuple(f"*{word}*" for word in _SECRETS),
        read=_read_strings(r".+"),
        expected="a list of patterns",
        remedy='Write a list, such as ["*password*", "*token*"].',
    ),
    "EXIT_WHEN_PARKED": Key(
        attribute="exit_when_parked",
        default=False,
        read=_read_flag,
        expected="True or False",
        remedy="True ends the daemon when a significant job is parked.",
    ),
    "LOG_LEVEL": Key(
        attribute="log_level",
        default=None,
        read=_or_none(_read_log_level),
        expected='the name of a level, such as "INFO", or None',
        remedy="None shows of a project without LOGGING what Python shows: WARNING and above.",
    ),
}
"""The ids of the system checks follow this order, so a new key goes to the end."""

"""Entries of ``DATABASES`` from URLs. A URL names the driver too, so a run uses exactly the backend it asks for."""

import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

EXAMPLES = (
    "sqlite:///shop.sqlite3",
    "postgres+psycopg2://user:password@127.0.0.1:5432/shop",
    "postgres+psycopg://user:password@127.0.0.1:5432/shop?pool=1",
    "mysql+mysqlclient://user:password@127.0.0.1:3306/shop",
    "mysql+pymysql://user:password@127.0.0.1:3306/shop?ssl_ca=/etc/ssl/ca.pem",
)
MYSQLCLIENT_FOR_DJANGO = (2, 2, 1, "final", 0)
"""The oldest mysqlclient that every Django from 5.2 on accepts; PyMySQL answers with a version of its own."""

Options = dict[str, Any]

PYMYSQL_SSL_MODES: dict[str, Options] = {
    "DISABLED": {"ssl_disabled": True},
    "REQUIRED": {"ssl": {"verify_mode": "none"}},
}
"""mysqlclient's ``ssl_mode`` as options of PyMySQL, which has no others; with ``ssl_ca`` PyMySQL verifies anyway."""


@dataclass(frozen=True)
class Backend:
    """The meaning of a scheme: Django's engine, the driver's module, and the extra that installs the driver."""

    engine: str
    module: str
    extra: str
    options: Callable[[Options], Options]


class DatabaseURLError(ImproperlyConfigured):
    """A database URL cannot be used. The sentence names the fault and leaves the password out."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"{without_password(url)}: {problem}.")


def without_password(url: str) -> str:
    """Return the URL with its password starred out."""
    head, at, tail = url.rpartition("@")
    scheme, separator, account = head.partition("://")
    user, colon, _ = account.partition(":")
    return f"{scheme}{separator}{user}{colon and ':***'}{at}{tail}"


def database_from_url(url: str, base: Path) -> dict[str, Any]:
    """Return the entry of ``DATABASES`` for ``url``; a relative SQLite path counts from ``base``.

    Query options: ``conn_max_age`` (seconds or ``none``), ``conn_health_checks=1``, ``pool=1`` (psycopg 3), ``host``
    (PostgreSQL's socket directory), ``unix_socket`` (MySQL's), ``ssl_ca``, ``ssl_cert`` and ``ssl_key`` (MySQL); all
    others go to the driver as they are, such as ``sslmode``, ``sslrootcert``, ``ssl_mode`` and ``connect_timeout``.
    """
    parts = urlsplit(url)
    backend = _backend(url, parts.scheme)
    query: Options = dict(parse_qsl(parts.query, keep_blank_values=True))
    entry = {"ENGINE": backend.engine, **_persistence(url, query)}
    if parts.scheme == "sqlite":
        return entry | {"NAME": _sqlite_name(url, parts, base), "OPTIONS": backend.options(query)}
    if "pool" in query and backend.module != "psycopg":
        raise DatabaseURLError(url, "pool works with postgres+psycopg:// alone")
    if (mode := query.get("ssl_mode")) and backend.module == "pymysql" and mode not in PYMYSQL_SSL_MODES:
        raise DatabaseURLError(
            url, f"ssl_mode={mode} is not one of {', '.join(PYMYSQL_SSL_MODES)}, nor wanted with ssl_ca"
        )
    return entry | _server(url, parts, query.pop("host", "")) | {"OPTIONS": backend.options(query)}


def use_drivers(urls: Iterable[str]) -> None:
    """Make Django load the drivers that ``urls`` name and no others; call this before any backend is loaded."""
    chosen: dict[str, tuple[Backend, str]] = {}
    for url in urls:
        backend = _backend(url, urlsplit(url).scheme)
        rival, _ = chosen.setdefault(backend.engine, (backend, url))
        if rival is not backend:
            raise DatabaseURLError(url, f"one process cannot have {rival.module} and {backend.module} both")
    for backend, url in chosen.values():
        if importlib.util.find_spec(backend.module) is None:
            remedy = f"pip install 'django-workerd[{backend.extra}]'"
            raise DatabaseURLError(url, f"its driver {backend.module} is not installed, try: {remedy}")
        _make_sole(backend.module)


def _make_sole(module: str) -> None:
    """Keep Django from the other driver: it prefers psycopg 3 where that is installed, and does not know PyMySQL."""
    if module == "psycopg2":
        # The import of a module whose entry is None raises ImportError, and then Django falls back to psycopg2.
        sys.modules["psycopg"] = None  # type: ignore[assignment]
    elif module == "pymysql":
        import pymysql  # type: ignore[import-untyped, unused-ignore]

        pymysql.version_info = max(pymysql.version_info, MYSQLCLIENT_FOR_DJANGO)
        pymysql.install_as_MySQLdb()


def _backend(url: str, scheme: str) -> Backend:
    try:
        return BACKENDS[scheme]
    except KeyError:
        known = ", ".join(EXAMPLES)
        raise DatabaseURLError(url, f"the scheme {scheme!r} names no backend and driver; known are {known}") from None


def _persistence(url: str, query: Options) -> Options:
    """Take Django's own connection options out of ``query``."""
    age = query.pop("conn_max_age", "0")
    try:
        entry: Options = {"CONN_MAX_AGE": None if age == "none" else int(age)}
    except ValueError:
        raise DatabaseURLError(url, f"conn_max_age={age} is neither a number of seconds nor none") from None
    if query.pop("conn_health_checks", "") in ("1", "true"):
        entry["CONN_HEALTH_CHECKS"] = True
    return entry


def _sqlite_name(url: str, parts: SplitResult, base: Path) -> str:
    name = unquote(parts.path.removeprefix("/"))
    if parts.netloc or not name:
        raise DatabaseURLError(
            url, "SQLite wants three slashes and a path, as in sqlite:///shop.sqlite3 or sqlite:////srv/shop.sqlite3"
        )
    return name if name == ":memory:" else str(base / name)


def _server(url: str, parts: SplitResult, socket: str) -> Options:
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name:
        raise DatabaseURLError(url, "it must end in /NAME, the database's name")
    try:
        port = parts.port
    except ValueError:
        raise DatabaseURLError(url, "its port is not a number from 0 to 65535") from None
    return {
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": socket or parts.hostname or "",
        "PORT": str(port or ""),
    }


def _sqlite_options(query: Options) -> Options:
    """Return the options with which many processes can write one file.

    WAL lets others read while one writes, and the timeout has writers wait for each other. IMMEDIATE, because a
    transaction that first reads and then writes is refused at once under SQLite's default.
    """
    return {
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        **_numbers(query),
    }


def _postgres_options(query: Options) -> Options:
    options = _numbers(query)
    if "pool" in options:
        options["pool"] = bool(options["pool"])
    return options


def _mysql_options(query: Options) -> Options:
    ssl = {part: query.pop(f"ssl_{part}") for part in ("ca", "cert", "key") if f"ssl_{part}" in query}
    return _numbers(query) | ({"ssl": ssl} if ssl else {})


def _pymysql_options(query: Options) -> Options:
    return PYMYSQL_SSL_MODES.get(query.pop("ssl_mode", ""), {}) | _mysql_options(query)


def _numbers(query: Options) -> Options:
    return {key: int(value) if value.isdecimal() else value for key, value in query.items()}


_POSTGRES, _MYSQL = "django.db.backends.postgresql", "django.db.backends.mysql"
BACKENDS = {
    "sqlite": Backend("django.db.backends.sqlite3", "sqlite3", "", _sqlite_options),
    "postgres+psycopg2": Backend(_POSTGRES, "psycopg2", "postgres", _postgres_options),
    "postgres+psycopg": Backend(_POSTGRES, "psycopg", "psycopg", _postgres_options),
    "mysql+mysqlclient": Backend(_MYSQL, "MySQLdb", "mysql", _mysql_options),
    "mysql+pymysql": Backend(_MYSQL, "pymysql", "pymysql", _pymysql_options),
}

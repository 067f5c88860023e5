"""The servers that the settings name, by their addresses: databases, caches, and the brokers of known packages."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from . import sessions
from .sockets import format_address

BROKERS = (
    "CELERY_BROKER_URL",
    "CELERY_RESULT_BACKEND",
    "BROKER_URL",
    "CHANNEL_LAYERS",
    "DRAMATIQ_BROKER",
    "DRAMATIQ_RESULT_BACKEND",
    "HUEY",
    "Q_CLUSTER",
    "RQ_QUEUES",
)
"""Settings in which packages for Django keep the address of their broker."""
_PORTS = {
    "amqp": 5672,
    "amqps": 5671,
    "mysql": 3306,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
}
_POSTGRES_FOLDERS = ("/var/run/postgresql", "/tmp")  # noqa: S108 - libpq's own, only compared
_MYSQL_SOCKETS = ("/var/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock")  # noqa: S108 - as above
Endpoint = tuple[str, int]
"""Host and port, or the path of a Unix socket and 0."""

_names: dict[str, str] | None = None


def learn_servers() -> None:
    """Resolve the addresses that the settings name, once; a host that does not resolve is passed over."""
    global _names
    if _names is not None:
        return
    _names = {}
    if not settings.configured:
        return
    for alias, database in settings.DATABASES.items():
        sessions.database_peers |= _learn(f"the database “{alias}”", _database_endpoints(database))
    for alias, cache in settings.CACHES.items():
        _learn(f"the cache “{alias}”", _endpoints(cache.get("LOCATION")))
    for setting in BROKERS:
        _learn(f"the broker of {setting}", _endpoints(getattr(settings, setting, None)))


def name_of_server(address: str) -> str:
    """Return what the settings call the server at ``address``; "" where they do not name it."""
    learn_servers()
    return (_names or {}).get(address, "")


def _learn(name: str, endpoints: Iterator[Endpoint]) -> set[str]:
    """Note and return the addresses. A setting of a form that is unknown here names none: it is not ours to judge."""
    assert _names is not None
    found: set[str] = set()
    with suppress(TypeError, ValueError):
        found.update(_resolve(endpoints))
    for address in found:
        _names.setdefault(address, name)
    return found


def _database_endpoints(database: Mapping[str, Any]) -> Iterator[Endpoint]:
    options = database.get("OPTIONS") or {}
    host = str(options.get("host") or database.get("HOST") or "")
    engine = str(database.get("ENGINE", ""))
    if "sqlite" in engine:
        return
    if "mysql" in engine:
        path = str(options.get("unix_socket") or (host if host.startswith("/") else ""))
        yield from ((name, 0) for name in ((path,) if path else _MYSQL_SOCKETS))
        yield host if host and not path else "localhost", int(options.get("port") or database.get("PORT") or 3306)
    else:
        # libpq takes several hosts, and one port for all or one for each.
        ports = [int(port or 5432) for port in str(options.get("port") or database.get("PORT") or 5432).split(",")]
        hosts = host.split(",") if host else _POSTGRES_FOLDERS
        for name, port in zip(hosts, ports if len(ports) == len(hosts) else ports[:1] * len(hosts), strict=True):
            yield (f"{name}/.s.PGSQL.{port}", 0) if name.startswith(("/", "@")) else (name, port)


def _endpoints(value: Any) -> Iterator[Endpoint]:
    """Find addresses in a setting of any shape: URLs, pairs of host and port, and dicts with both."""
    match value:
        case str():
            yield from _endpoint_in(value)
        case (str() as host, int() as port):
            yield host, port
        case Mapping():
            lower = {str(name).lower(): inner for name, inner in value.items()}
            if isinstance(lower.get("host"), str):
                yield lower["host"], int(lower.get("port") or _PORTS["redis"])
            for inner in value.values():
                yield from _endpoints(inner)
        case list() | tuple():
            for inner in value:
                yield from _endpoints(inner)


def _endpoint_in(text: str) -> Iterator[Endpoint]:
    """Find the address in a URL, the path of a socket, or ``host:port``."""
    host, _, port = text.rpartition(":")
    if "://" in text:
        parts = urlsplit(text)
        if parts.hostname:
            yield parts.hostname, parts.port or _PORTS.get(parts.scheme, 0)
        elif parts.path:
            yield parts.path, 0
    elif text.startswith("/"):
        yield text, 0
    elif host and port.isdigit():
        yield host, int(port)


def _resolve(endpoints: Iterator[Endpoint]) -> Iterator[str]:
    for host, port in endpoints:
        if port == 0:
            yield from {host, os.path.realpath(host)}
            continue
        try:
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            continue
        yield from (format_address(address) for *_, address in found)

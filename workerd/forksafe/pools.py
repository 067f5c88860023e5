"""The pools that a backend keeps on its class (``_connection_pools``) or, django-db-connection-pool, in a module.

Django's keep one for psycopg 3 and Oracle, and django-db-geventpool does the same.
"""

import sys
from collections.abc import Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from . import sessions

_MODULE = "dj_db_conn_pool.core"


def close_pools() -> tuple[list[str], list[str]]:
    """Close and forget every pool; return the names of the closed ones, and a reason for each that stays open."""
    closed, reasons = [], []
    for pools in _pools_of_backends():
        for key, pool in list(pools.items()):
            # Forgotten before it is closed: a thread that asks meanwhile gets a new pool, not one that is closing.
            if pools.pop(key, None) is None:  # another thread has closed it
                continue
            try:
                _close(pool)
            except Exception as error:  # noqa: BLE001 - a pool of any driver may raise anything; the fork is refused for it
                pools.setdefault(key, pool)
                text = f"{type(error).__name__}: {error}"
                reasons.append(f"The connection pool {_name(key)!r} could not be closed: {text}.")
            else:
                _forget(pool)
                closed.append(_name(key))
    return closed, reasons


def take_pools() -> list[Any]:
    """Forget every pool without closing it, and return them all; for a forked child."""
    taken: list[Any] = []
    for pools in _pools_of_backends():
        taken += pools.values()
        pools.clear()
    for pool in taken:
        _forget(pool)
    return taken


def idle_connections(pool: Any) -> list[Any]:
    """Return the idle driver connections of a psycopg pool; none of another kind of pool."""
    try:
        return list(pool._pool)
    except (AttributeError, TypeError):
        return []


def _pools_of_backends() -> Iterator[dict[Any, Any]]:
    """Yield each loaded backend's dict of pools, also those of aliases that are no longer configured."""
    container = getattr(sys.modules.get(_MODULE), "pool_container", None)
    if isinstance(container, dict):
        yield container
    seen: set[int] = set()
    classes: list[type] = [BaseDatabaseWrapper]
    while classes:
        cls = classes.pop()
        classes += cls.__subclasses__()
        pools = getattr(cls, "_connection_pools", None)  # django-db-geventpool's is a mixin's
        if isinstance(pools, dict) and id(pools) not in seen:
            seen.add(id(pools))
            yield pools


def _close(pool: Any) -> None:
    """Close the idle connections; one that is in use is closed, or found among the sockets, when it is given back."""
    (pool.dispose if hasattr(pool, "dispose") else pool.close)()  # the first one is SQLAlchemy's


def _forget(pool: Any) -> None:
    """Have no wrapper use the pool again: django-db-geventpool's keeps it."""
    for wrapper in sessions.wrappers():
        if vars(wrapper).get("_pool") is pool:
            vars(wrapper)["_pool"] = None


def _name(key: Any) -> str:
    return str(key[0] if isinstance(key, tuple) and key else key)

"""The pools that a backend keeps on its class (``_connection_pools``), as Django's do for psycopg 3 and Oracle."""

from collections.abc import Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


def close_pools() -> tuple[list[str], list[str]]:
    """Close and forget every pool; return the names of the closed ones, and a reason for each that stays open."""
    closed, reasons = [], []
    for pools in _pools_of_backends():
        for key, pool in list(pools.items()):
            # Forgotten before it is closed: a thread that asks meanwhile gets a new pool, not one that is closing.
            if pools.pop(key, None) is None:  # another thread has closed it
                continue
            try:
                pool.close()
            except Exception as error:  # noqa: BLE001 - a pool of any driver may raise anything; the fork is refused for it
                pools.setdefault(key, pool)
                text = f"{type(error).__name__}: {error}"
                reasons.append(f"The connection pool {_name(key)!r} could not be closed: {text}.")
            else:
                closed.append(_name(key))
    return closed, reasons


def take_pools() -> list[Any]:
    """Forget every pool without closing it, and return them all; for a forked child."""
    taken: list[Any] = []
    for pools in _pools_of_backends():
        taken += pools.values()
        pools.clear()
    return taken


def idle_connections(pool: Any) -> list[Any]:
    """Return the idle driver connections of a psycopg pool; none of another kind of pool."""
    try:
        return list(pool._pool)
    except (AttributeError, TypeError):
        return []


def _pools_of_backends() -> Iterator[dict[Any, Any]]:
    """Yield each loaded backend's dict of pools, also those of aliases that are no longer configured."""
    seen: set[int] = set()
    classes: list[type] = [BaseDatabaseWrapper]
    while classes:
        cls = classes.pop()
        classes += cls.__subclasses__()
        pools = vars(cls).get("_connection_pools")
        if isinstance(pools, dict) and id(pools) not in seen:
            seen.add(id(pools))
            yield pools


def _name(key: Any) -> str:
    return str(key[0] if isinstance(key, tuple) and key else key)

"""Pools that a backend keeps on its class (``_connection_pools``), as Django does for psycopg 3 and Oracle."""

from collections.abc import Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


def close_pools() -> tuple[list[str], list[str]]:
    """Close and forget every pool; return the names of those closed and a sentence for each that would not."""
    closed, reasons = [], []
    for pools in _shelves():
        for key, pool in list(pools.items()):
            # Forgotten first: a thread that asks now gets a new pool and not one that is closing.
            if pools.pop(key, None) is None:
                continue
            try:
                pool.close()
            except Exception as error:  # noqa: BLE001 - a pool of any driver; the fork is refused with what it says
                pools.setdefault(key, pool)
                said = f"{type(error).__name__}: {error}"
                reasons.append(f"The connection pool {_name(key)!r} could not be closed: {said}.")
            else:
                closed.append(_name(key))
    return closed, reasons


def take_pools() -> list[Any]:
    """Forget every pool without closing it, and return them; for a forked child."""
    taken: list[Any] = []
    for pools in _shelves():
        taken += pools.values()
        pools.clear()
    return taken


def idle_connections(pool: Any) -> list[Any]:
    """Return the driver connections that wait in a psycopg pool; of another kind of pool nothing is known."""
    try:
        return list(pool._pool)
    except (AttributeError, TypeError):
        return []


def _shelves() -> Iterator[dict[Any, Any]]:
    """Yield the dict of pools of every backend loaded, each once, whether its alias is still configured or not."""
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

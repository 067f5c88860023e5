"""What fork safety costs, as medians: ``python -m benchmarks.forksafe_costs DATABASE_URL``.

Times ``prepare_to_fork()`` with an open connection; what the hooks add to connect and close, events through structlog
included; and what the tripwire adds to a query. PyMySQL frees an SSL context of its own with each connection, which
takes it longer than all the rest; with ``?ssl_disabled=1`` in the URL it has none.
"""

import argparse
import inspect
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS, OFTEN = 400, 1000
LIMITS_MS = {"prepare_to_fork": 0.5, "prepare_to_fork (pool)": 5.0, "connect and close, added": 0.1, "tripwire": 0.0006}


def measure(url: str) -> dict[str, float]:
    """Return medians in milliseconds."""
    from django.conf import settings

    from django_site.databases import database_from_url, use_drivers

    use_drivers([url])
    settings.configure(DATABASES={"default": database_from_url(url, Path("/"))}, USE_TZ=True)
    import django
    import structlog

    django.setup()
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()], logger_factory=structlog.ReturnLoggerFactory()
    )
    from django.db import connection, connections

    from workerd import forksafe

    forksafe.install()
    connection.ensure_connection()
    wrapper = connections["default"]

    from workerd.forksafe.hooks import HOOKS

    def nothing(_: object) -> None:
        """Stand where Django's own method does."""

    def open_whole() -> None:
        """Connect, and let a pool fill itself: a pool in the middle of that is closed when its threads have done so."""
        connection.ensure_connection()
        pool = getattr(wrapper, "pool", None)
        while pool and len(pool._pool) < pool.min_size - 1:
            time.sleep(0.001)

    def reconnect() -> None:
        connection.close()
        connection.ensure_connection()

    # With nothing inside, the hook of connect says both what it ends and what it opens.
    connect, close = HOOKS["connect"](nothing), HOOKS["close"](nothing)
    wired = type(wrapper).validate_thread_sharing
    free = inspect.unwrap(wired)
    return {
        "connect and close, added": _median(lambda: (close(wrapper), connect(wrapper)), 5 * ROUNDS),
        "tripwire": _median_of(lambda: _time_often(wired, wrapper) - _time_often(free, wrapper)) / OFTEN,
        "prepare_to_fork": _median(forksafe.prepare_to_fork, before=open_whole),
        "connect and close": _median(reconnect),
    }


def _time_often(check: Callable[[Any], None], wrapper: object) -> float:
    started = time.perf_counter()
    for _ in range(OFTEN):
        check(wrapper)
    return (time.perf_counter() - started) * 1000


def _median(call: Callable[[], Any], rounds: int = ROUNDS, before: Callable[[], Any] = lambda: None) -> float:
    return _median_of(lambda: _time(call, before), rounds)


def _median_of(measurement: Callable[[], float], rounds: int = ROUNDS) -> float:
    return statistics.median(measurement() for _ in range(rounds))


def _time(call: Callable[[], Any], before: Callable[[], Any]) -> float:
    before()
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def main(url: str) -> int:
    """Print the figures beside their limits; 1 where one is missed."""
    figures = measure(url)
    pool = " (pool)" if "pool=1" in url else ""
    figures[f"prepare_to_fork{pool}"] = figures.pop("prepare_to_fork")
    print(
        f"{url.partition('://')[0]}{pool}: connect and close {figures.pop('connect and close'):.3f} ms without forksafe"
    )
    for name, value in figures.items():
        verdict = "" if value <= LIMITS_MS[name] else "  MISSED"
        print(f"  {name}: {value:.5f} ms (limit {LIMITS_MS[name]} ms){verdict}")
    return int(any(value > LIMITS_MS[name] for name, value in figures.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", metavar="URL", help="the database, as postgres+psycopg2://user@host/name")
    sys.exit(main(parser.parse_args().url))

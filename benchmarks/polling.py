"""What a poll of many job rows costs the database and the ledger: while none changes, and when one has changed.

    python -m benchmarks.polling [URL] [--rows 10000] [--refused]

On SQLite, or on a database that is made for it and dropped afterwards. Exit code 1 where an unchanged poll takes more
of the database's time than promised.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

POLLS = 50
PROMISE_MS = 5.0
"""Of the database, and of the way to it and back, for a poll of 10,000 unchanged rows."""


def main() -> int:
    """Print the figures; 1 where the promise did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", help="a database URL as django_site reads it; the database must not exist")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--refused", dest="allowed", action="store_false", help="no row may run what it names")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "django_site.settings", "WORKERD_STATE_DIR": folder}
        os.environ |= {"DATABASE_URL": options.url} if options.url else {}
        os.environ["WORKERD_SETTINGS"] = json.dumps({"TARGETS": ["shop.jobs.*"] if options.allowed else []})
        import django

        django.setup()
        from django.db import connection

        connection.settings_dict["TEST"]["NAME"] = None if options.url else str(Path(folder) / "test.sqlite3")
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            with new_ledger() as ledger:
                return 0 if measure(ledger, options.rows) else 1
        finally:
            connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


@contextmanager
def new_ledger() -> Iterator[Any]:
    """Yield a ledger whose daemon only listens."""
    from workerd.conf import get_settings
    from workerd.ledger.main import LedgerLoop
    from workerd.wire.channel import Channel
    from workerd.wire.messages import License
    from workerd.wire.page import HeartbeatPage

    descriptor = os.memfd_create("page")
    os.ftruncate(descriptor, 4096)
    ours, theirs = Channel.pair()
    daemon = threading.Thread(target=lambda: all(iter(lambda: ours.receive()[0], None)), daemon=True)
    daemon.start()
    license_ = License({}, 0, "run", 1, "bench", "host", "mark", key=str(uuid.uuid4()), life=str(uuid.uuid4()))
    ledger = LedgerLoop(theirs, HeartbeatPage(descriptor), license_, get_settings())
    try:
        yield ledger
    finally:
        ledger.close()
        theirs.close()


def measure(ledger: Any, rows: int) -> bool:
    """Print what polls cost; return whether the promise held."""
    from django.db import connection

    from workerd.models import Job

    Job.objects.bulk_create(
        [Job(name=f"job-{at}", target="shop.jobs.ship_orders", notes="whom to ask " * 20) for at in range(rows)],
        batch_size=500,
    )
    if connection.vendor == "postgresql":  # as autovacuum would within a minute
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE workerd_job")
    ledger._turn()
    print(f"{connection.vendor}, {rows} rows: medians of {POLLS} polls")
    unchanged = report("none changed", [poll(ledger) for _ in range(POLLS)])
    changed = []
    for at in range(5):
        Job.objects.filter(name=f"job-{at}").update(processes=2)
        changed.append(poll(ledger))
    report("one changed", changed)
    return unchanged <= PROMISE_MS * max(1.0, rows / 10_000)


def poll(ledger: Any) -> tuple[float, float, int]:
    """Poll once; return the milliseconds of the statements, those of this process, and the number of statements."""
    from django.db import connection

    waited, statements = 0.0, 0

    def timed(execute: Callable[..., Any], *rest: Any) -> Any:
        nonlocal waited, statements
        began = time.perf_counter()
        try:
            return execute(*rest)
        finally:
            waited += time.perf_counter() - began
            statements += 1

    used = time.process_time()
    with connection.execute_wrapper(timed):
        ledger._poll(time.monotonic())
    return waited * 1e3, (time.process_time() - used) * 1e3, statements


def report(what: str, polls: list[tuple[float, float, int]]) -> float:
    """Print a line; return the milliseconds of the statements."""
    waited, used, statements = (float(statistics.median(part)) for part in zip(*polls, strict=True))
    fastest = min(poll[0] for poll in polls)
    print(
        f"{what:>14}: {statements:.0f} statements, {waited:.2f} ms, fastest {fastest:.2f} ms;"
        f" the ledger's processor time {used:.2f} ms"
    )
    return waited


if __name__ == "__main__":
    sys.exit(main())

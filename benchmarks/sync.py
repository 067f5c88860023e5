"""How long a sync of 500 definitions takes, and how many queries: new, in step, each changed, and with none left.

    python -m benchmarks.sync [URL]

On SQLite, or on a database that is made for it and dropped afterwards. Exit code 1 where a sync takes longer than
promised, or one in step asks more than once or writes.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

DEFINITIONS = 500
PROMISE_S = 2.0

_TARGET = """\
[jobs.{name}]
target = "shop.jobs.ship_orders"
kwargs = {{ warehouse = "main" }}
processes = {processes}
stop_timeout = "90s"
notes = "Whom to ask: desk {number}."

"""
_COMMAND = """\
[jobs.{name}]
command = "expire_carts --every {processes} --older-than {number}"
restart = "on_failure"
schedule = "{minute} 2 * * *"
time_zone = "Europe/Berlin"

"""


def main() -> int:
    """Print a line for each sync; 1 where a promise did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", help="a database URL as django_site reads it; the database must not exist")
    url = parser.parse_args().url
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "django_site.settings", "WORKERD_STATE_DIR": folder}
        os.environ |= {"DATABASE_URL": url} if url else {}
        import django

        django.setup()
        from django.db import connection

        connection.settings_dict["TEST"]["NAME"] = None if url else str(Path(folder) / "test.sqlite3")
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            return 0 if measure(Path(folder) / "jobs.toml") else 1
        finally:
            connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


def measure(file: Path) -> bool:
    """Sync the file as it changes; return whether all was as promised."""
    from django.conf import settings
    from django.db import connection

    settings.WORKERD = {**settings.WORKERD, "DEFINITIONS": [file]}
    print(f"{connection.vendor}, {DEFINITIONS} definitions")
    good = True
    for what, text in (
        ("new", text_of(processes=1)),
        ("in step", text_of(processes=1)),
        ("each changed", text_of(processes=2)),
        ("gone", ""),
    ):
        file.write_text(text)
        seconds, of_processor, queries, writes = timed_sync()
        print(f"{what:>12}: {seconds:5.2f} s, {of_processor:.2f} of the processor, {queries} queries, {writes} write")
        good &= seconds <= PROMISE_S and (what != "in step" or (queries, writes) == (1, 0))
    return good


def text_of(processes: int) -> str:
    """Return the definitions: half of them are functions, half commands with a schedule."""
    parts = []
    for number in range(DEFINITIONS):
        template = _COMMAND if number % 2 else _TARGET
        parts.append(template.format(name=f"job-{number:03}", number=number, processes=processes, minute=number % 60))
    return "".join(parts)


def timed_sync() -> tuple[float, float, int, int]:
    """Return what the whole verb takes, files read and definitions judged: seconds, those of the processor, queries."""
    from django.core.management import call_command
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries, Path(os.devnull).open("w") as nowhere:
        began, used = time.monotonic(), time.process_time()
        call_command("workerd", "sync", stdout=nowhere)
        seconds, of_processor = time.monotonic() - began, time.process_time() - used
    writes = [query for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    return seconds, of_processor, len(queries), len(writes)


if __name__ == "__main__":
    sys.exit(main())

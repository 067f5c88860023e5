"""What the board costs with 50 nodes and 200 jobs: queries and milliseconds, on SQLite, PostgreSQL, MySQL, MariaDB.

    python -m benchmarks.board postgres+psycopg://postgres@127.0.0.1:5432/workerd_board [--runs 200000]

The URL names a database that is made for it and dropped afterwards. 50 nodes have a slot of each of 200 jobs, 10,000
in all; a hundred of them are in trouble, of twenty jobs; one job in five has a schedule. All runs are of the last day.
The figures to hold are 12 queries and 500 ms (median of 9, whole responses through Django's test client: middleware,
session and templates included, the network not). “first” is the first look of a web process in an hour, which counts
every run of the day; a look after that counts those of the last two hours. “cpu” is the processor time of the web
process alone, which says most where the machine is not idle.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
import uuid
from datetime import timedelta
from typing import Any

ROUNDS, NODES, JOBS, BATCH = 9, 50, 200, 2000
WELL = ("finished", "recycled", "stopped", "finished")
ILL = (*WELL, "error", "crashed", "missed", "hung")
"""How the runs of one job in ten end."""


def main() -> None:
    """Fill a database, look at the board, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="a database URL as django_site reads it; the database must not exist")
    parser.add_argument("--runs", type=int, default=200_000)
    options = parser.parse_args()
    os.environ |= {
        "DATABASE_URL": options.url,
        "DJANGO_SETTINGS_MODULE": "django_site.settings",
        "WORKERD_STATE_DIR": tempfile.mkdtemp(),
    }
    import django

    django.setup()
    from django.db import connection

    admin_alias = connection.creation
    admin_alias.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        fill(options.runs)
        measure()
    finally:
        admin_alias.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


def fill(runs: int) -> None:
    """Write nodes, jobs, slots and the runs of a day."""
    from django.db import connection

    from workerd.models import Job, Node, Run, Slot
    from workerd.models.clock import read_now

    began, now, dice = time.monotonic(), read_now("default"), random.Random(7)
    Node.objects.bulk_create(
        [
            Node(name="shop", host=f"web{number:02}", pulse=now, key=uuid.uuid4(), life=uuid.uuid4())
            for number in range(NODES)
        ]
    )
    Job.objects.bulk_create([_job(number) for number in range(JOBS)])
    nodes, jobs = list(Node.objects.order_by("pk")), list(Job.objects.order_by("pk"))
    slots = [_slot(job, node, now) for job in jobs for node in nodes]
    for number in range(100):
        slot = slots[number % 20 * NODES + number // 20 * 7]
        slot.state, slot.reason = dice.choice([("PARKED", "5 failures within 600 s"), ("BACKOFF", "exit code 1")])
    Slot.objects.bulk_create(slots, batch_size=BATCH)
    for start in range(0, runs, BATCH):
        batch = [_run(dice.choice(jobs), dice.choice(nodes), now, dice) for _ in range(min(BATCH, runs - start))]
        Run.objects.bulk_create(batch, batch_size=BATCH)
    with connection.cursor() as cursor:
        for model in (Run, Slot):
            table = model._meta.db_table
            cursor.execute(f"ANALYZE TABLE {table}" if connection.vendor == "mysql" else f"ANALYZE {table}")
            cursor.fetchall() if connection.vendor == "mysql" else None
    took = time.monotonic() - began
    print(f"{connection.vendor}: {NODES} nodes, {JOBS} jobs, {len(slots)} slots, {runs} runs, written in {took:.0f} s")


def _job(number: int) -> Any:
    from workerd.models import Job

    scheduled = {"schedule": "*/5 * * * *", "restart": "never"} if number % 5 == 4 else {}
    return Job(name=f"job-{number:03}", target="shop.jobs.ship_orders", **scheduled)


def _slot(job: Any, node: Any, now: Any) -> Any:
    from workerd.models import Slot

    state = (
        {"state": "WAITING", "reason": "its time: 02:30"} if job.schedule else {"state": "RUNNING", "note": "an order"}
    )
    return Slot(node=node, job=job, job_name=job.name, name=job.name, since=now, last_beat=now, memory=12.5, **state)


def _run(job: Any, node: Any, now: Any, dice: random.Random) -> Any:
    from workerd.models import Run

    ended = now - timedelta(seconds=dice.uniform(0, 86_400))
    born = ended - timedelta(seconds=dice.uniform(1, 3600))
    return Run(
        job=job,
        job_name=job.name,
        node=node,
        node_name=str(node),
        slot=job.name,
        born=born,
        ended=ended,
        outcome=dice.choice(WELL if job.pk % 10 else ILL),
    )


def measure() -> None:
    """Print queries, bytes and the median time of the page and of its refresh."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Permission
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from django.urls import reverse

    from workerd.admin.board.hours import forget

    settings.ALLOWED_HOSTS = ["*"]
    client = Client()
    viewer = get_user_model().objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(
        Permission.objects.filter(codename__startswith="view_", content_type__app_label="workerd")
    )
    client.force_login(viewer)
    page, live = reverse("admin:workerd_job_board"), reverse("admin:workerd_job_board_live")
    print(f"{'page':20} {'queries':>7} {'KiB':>5} {'cpu ms':>9} {'least ms':>9} {'median ms':>9} {'worst ms':>9}")
    for name, url, is_first in (
        ("the board, first", page, True),
        ("the board", page, False),
        ("its refresh, first", live, True),
        ("its refresh", live, False),
    ):
        client.get(url)
        took, busy = [], []
        for _ in range(ROUNDS):
            if is_first:
                forget()
            began, began_cpu = time.perf_counter(), time.process_time()
            response = client.get(url)
            took.append((time.perf_counter() - began) * 1000)
            busy.append((time.process_time() - began_cpu) * 1000)
            assert response.status_code == 200, response
        if is_first:
            forget()
        with CaptureQueriesContext(connection) as captured:
            client.get(url)
        size = len(response.content) / 1024
        times = " ".join(
            f"{ms:9.0f}" for ms in (statistics.median(busy), min(took), statistics.median(took), max(took))
        )
        print(f"{name:20} {len(captured):7} {size:5.0f} {times}")


if __name__ == "__main__":
    main()

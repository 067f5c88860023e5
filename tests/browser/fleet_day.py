"""A fleet as ledgers would have written it, for the board: nodes, jobs, slots in every state, and a day of runs."""

import random
import uuid
from datetime import datetime, timedelta
from typing import Any

from workerd.models import Job, Node, Run, Slot
from workerd.models.clock import read_now

NAMES = (
    *("price-feed", "ship-orders", "print-labels", "build-catalogue", "sync-stock", "call-courier", "send-mail"),
    *(
        "resize-pictures",
        "search-index",
        "refund-payments",
        "watch-carts",
        "web-hooks",
        "import-suppliers",
        "audit-log",
    ),
    *("nightly-report", "close-the-day", "rotate-keys", "clean-up"),
)
SCHEDULED = NAMES[-4:]
AHEAD = timedelta(hours=1)
"""The pulses of living nodes are ahead: nobody renews them while the page is looked at."""


def add_fleet(alias: str, nodes: int = 6) -> None:
    """Write a fleet in which a node is silent, one drains, and jobs are in every kind of trouble."""
    now, dice = read_now(alias), random.Random(4)
    made = [_node(alias, number, now, nodes) for number in range(nodes)]
    for name in NAMES:
        job = _job(alias, name)
        for node in made:
            for index in range(job.processes):
                _slot(alias, job, node, index, now)
        _day(alias, job, made, now, dice)
    _in_trouble(alias, now)


def _node(alias: str, number: int, now: datetime, nodes: int) -> Node:
    is_silent = number == nodes - 1
    return Node.objects.using(alias).create(
        name="shop",
        host=f"web{number + 1:02}.example",
        generation=3,
        pulse=now - timedelta(minutes=4) if is_silent else now + AHEAD,
        key=uuid.uuid4(),
        life=uuid.uuid4(),
        draining=number == 1,
    )


def _job(alias: str, name: str) -> Job:
    values: dict[str, Any] = {"schedule": "30 2 * * *", "restart": "never"} if name in SCHEDULED else {}
    if name in ("ship-orders", "send-mail"):
        values["processes"] = 3
    return Job.objects.using(alias).create(name=name, target="shop.jobs.ship_orders", **values)


def _slot(alias: str, job: Job, node: Node, index: int, now: datetime) -> None:
    state = {"state": "WAITING", "reason": "its time: 02:30"} if job.schedule else {"state": "RUNNING"}
    name = job.name if job.processes == 1 else f"{job.name}:{index}"
    values = {"node": node, "job": job, "job_name": job.name, "index": index, "name": name}
    Slot.objects.using(alias).create(**values, since=now - timedelta(hours=7), **state)


def _day(alias: str, job: Job, nodes: list[Node], now: datetime, dice: random.Random) -> None:
    """Write few ends of most jobs, many of some, and failures of those with trouble."""
    often = {"sync-stock": 60, "call-courier": 150, "web-hooks": 40}.get(job.name, 1 if job.schedule else 5)
    fails = job.name in ("sync-stock", "call-courier", "import-suppliers")
    runs = []
    for _ in range(often):
        ended = now - timedelta(hours=24 * dice.random() ** (3 if fails else 1))
        outcome = dice.choice(("error", "crashed", "recycled") if fails else ("recycled", "finished"))
        node = dice.choice(nodes)
        run = Run(job=job, job_name=job.name, node=node, node_name=str(node), slot=job.name, outcome=outcome)
        run.born, run.ended = ended - timedelta(minutes=5), ended
        runs.append(run)
    Run.objects.using(alias).bulk_create(runs)


def _in_trouble(alias: str, now: datetime) -> None:
    slots, jobs = Slot.objects.using(alias), Job.objects.using(alias)
    words = "5 failures within 600 s; last: shop.mishaps.CourierUnavailableError: 503 Service Unavailable"
    parked = slots.filter(job_name="call-courier", node__host__lt="web03")
    parked.update(
        state="PARKED", reason=words, public_reason="5 failures within 600 s", since=now - timedelta(minutes=50)
    )
    backoff = slots.filter(job_name="sync-stock", node__host__startswith="web03")
    backoff.update(state="BACKOFF", reason="exit code 1; the next start is later", since=now - timedelta(seconds=40))
    one = slots.filter(name="send-mail:1", node__host__startswith="web04")
    one.update(state="STARTING", reason="loading its code", since=now - timedelta(seconds=2))
    slots.filter(job_name="search-index").update(
        state="STOPPED", reason="stopped by ada", since=now - timedelta(days=2)
    )
    jobs.filter(name="clean-up").update(enabled=False)
    slots.filter(job_name="clean-up").update(state="STOPPED")
    report = Job.objects.using(alias).get(name="nightly-report")
    failed = "its time: 02:30; the last run: KeyError: 'vat'"
    slots.filter(job_name=report.name).update(reason=failed, public_reason="its time: 02:30; the last run: exit code 1")
    due = now - timedelta(hours=5)
    Run.objects.using(alias).create(
        job=report, job_name=report.name, slot=report.name, born=due, ended=due, due=due, outcome="error"
    )

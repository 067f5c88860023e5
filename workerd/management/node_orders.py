"""Orders that the command gives another node: rows of ``Operation``, whose results it waits for."""

import os
import pwd
import time
from collections.abc import Callable, Sequence

from django.db import transaction

from workerd.models import Job, Node, Operation
from workerd.models.operation import LIFETIME, database_now

LOOK_S = 0.25
MARGIN_S = 5.0


def give(alias: str, verb: str, node: Node, job: Job | None = None, slot: str = "") -> Operation:
    """Write an order for ``node``; the save wakes its ledger."""
    now, name = database_now(), job.name if job is not None else ""
    times = {"requested": now, "expires": now + LIFETIME}
    order = Operation(verb=verb, node=node, job=job, job_name=name, slot=slot, requested_by=_user(), **times)
    order.save(using=alias, force_insert=True)
    return order


def give_all(alias: str, verb: str, nodes: Sequence[Node]) -> list[Operation]:
    """Write one order for all of the ``nodes``, a row each; they have its time in common."""
    now = database_now()
    times = {"requested": now, "expires": now + LIFETIME}
    orders = [Operation(verb=verb, node=node, requested_by=_user(), **times) for node in nodes]
    with transaction.atomic(using=alias):
        for order in orders:
            order.save(using=alias, force_insert=True)  # the saves wake the ledgers, at the commit
    return orders


def wait_for(order: Operation, alias: str) -> str:
    """Return the order's result, however long it takes; "" where no daemon has taken it in its time."""
    until = time.monotonic() + LIFETIME.total_seconds() + MARGIN_S
    while True:
        order.refresh_from_db(using=alias, fields=["taken", "result"])
        if order.result:
            return order.result
        if order.taken is None and time.monotonic() > until:
            return ""
        time.sleep(LOOK_S)


def wait_until(holds: Callable[[], bool], within_s: float) -> bool:
    """Return whether it holds within so many seconds."""
    until = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_S)
    return True


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"

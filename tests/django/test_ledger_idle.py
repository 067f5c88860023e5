"""What an idle ledger asks its database, as time goes by: a constant number of statements, however many rows and nodes.

Time is the test's own, so ten minutes of turns take a second.
"""

import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from workerd.conf import get_settings
from workerd.ledger.main import LedgerLoop
from workerd.models import Job, Node
from workerd.models.clock import read_now
from workerd.wire.channel import Channel
from workerd.wire.messages import License
from workerd.wire.page import HeartbeatPage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CHANCE = 0.5


@dataclass
class Idle:
    """A ledger to which nothing is sent, and the time it lives in."""

    loop: LedgerLoop
    now: float
    asked: Counter[str] = field(default_factory=Counter)

    def pass_time(self, seconds: float) -> None:
        """Let the ledger's turns follow each other as they are due."""
        until, turns = self.now + seconds, 0
        with connection.execute_wrapper(self._count):
            while self.now < until:
                self.loop._turn()
                assert (turns := turns + 1) < 10 * seconds, "it turns all the time"
                self.now += max(self.loop._due_in(), 0.001)

    def _count(self, execute: Any, sql: str, *rest: Any) -> Any:
        self.asked[" ".join(sql.split()[:3])] += 1
        return execute(sql, *rest)

    def a_second(self, seconds: float) -> float:
        self.asked.clear()
        self.pass_time(seconds)
        return self.asked.total() / seconds


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Idle]:
    settings.WORKERD = {"NAME": "shop", "POLL_SECONDS": 1.0, "TARGETS": ["shop.*"]}
    descriptor = os.memfd_create("page")
    os.ftruncate(descriptor, 4096)
    ours, theirs = Channel.pair()
    daemon = threading.Thread(target=_read_all, args=(ours,))
    daemon.start()
    license_ = License({}, 0, "run", 1, "shop", "host-1", "mark", key=str(uuid.uuid4()), life=str(uuid.uuid4()))
    loop = LedgerLoop(theirs, HeartbeatPage(descriptor), license_, get_settings())
    idle = Idle(loop, now=1_000.0)
    idle.loop._size._chance = lambda: CHANCE
    if connection.vendor == "postgresql":
        idle.loop._push.listen()  # by the real clock, as it waits for a proof
    monkeypatch.setattr(time, "monotonic", lambda: idle.now)
    idle.pass_time(1.0)
    Node.objects.update(record_version=1)  # as the daemon's first record would
    idle.pass_time(120.0)
    yield idle
    monkeypatch.undo()
    loop.close()
    theirs.close()
    daemon.join()
    ours.close()
    connection.close()


def _read_all(channel: Channel) -> None:
    """Be the daemon: what nobody reads would make the ledger wait."""
    while channel.receive()[0] is not None:
        pass


def add_jobs(count: int) -> None:
    Job.objects.bulk_create([Job(name=f"job-{index}", target="shop.jobs.mail") for index in range(count)])


def test_an_idle_ledger_asks_a_constant_number_of_statements(idle: Idle) -> None:
    """Of each poll the question and the orders; of each pulse one; the rest comes once a minute."""
    first, second = idle.a_second(120.0), idle.a_second(120.0)

    assert first == pytest.approx(second, rel=0.1)
    assert first < 2 + 1 / 5 + 25 / 60, idle.asked


def test_rows_do_not_make_them_more(idle: Idle) -> None:
    before = idle.a_second(120.0)
    add_jobs(300)
    idle.pass_time(10.0)

    assert idle.a_second(120.0) == pytest.approx(before, rel=0.05)


def test_in_a_fleet_of_many_each_node_asks_less(idle: Idle) -> None:
    alone = idle.a_second(120.0)
    pulse = read_now("default") + timedelta(days=1)
    Node.objects.bulk_create([Node(name=f"node-{index}", host="h", pulse=pulse) for index in range(499)])
    idle.pass_time(120.0)

    assert idle.loop._size.nodes == 500
    assert idle.a_second(120.0) < alone * 0.6

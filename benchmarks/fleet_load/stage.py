"""All nodes at their pace: their recorded statements, each when it is due."""

import heapq
import os
import random
import time
from collections.abc import Mapping, Sequence

from django.core.management import call_command
from django.db import connections

from benchmarks.fleet_load.life import INTERVAL_S, TAKEOVER_S, Life
from benchmarks.fleet_load.server import BenchServer, Figures
from workerd.conf import get_settings
from workerd.ledger.fleet_size import FleetSize
from workerd.ledger.job_reading import FULL_SECONDS
from workerd.ledger.main import PULSE_SECONDS
from workerd.ledger.poll_times import NODES_A_SECOND, ROWS
from workerd.models import Job, Seat
from workerd.wire.page import HeartbeatPage

PLAYS = 100


def set_up(nodes: int, seats: int, rows: int) -> list[Life]:
    """Make the rows, and so many nodes in contact, whose statements are recorded."""
    call_command("migrate", verbosity=0)
    Job.objects.bulk_create(
        [Job(name=f"job-{i}", target="shop.jobs.price_feed", kwargs={"shelf": i}) for i in range(rows)]
    )
    page = os.memfd_create("page")
    os.ftruncate(page, 4096)
    lives = []
    for index in range(nodes):
        aliases = f"ledger-{index}", f"seats-{index}"
        for alias in aliases:
            connections.settings[alias] = {**connections.settings["default"]}
        lives.append(Life(index, *aliases, get_settings(), HeartbeatPage(os.dup(page))))
        lives[-1].arrive()
    _hand_out(lives, seats)
    return lives


def _hand_out(lives: Sequence[Life], seats: int) -> None:
    jobs = list(Job.objects.values_list("pk", flat=True))
    Seat.objects.bulk_create(
        [
            Seat(
                job_id=jobs[number % len(jobs)],
                index=number // len(jobs),
                node_id=lives[number % len(lives)].pk,
                life=lives[number % len(lives)].life,
                token=1_764_000_000_000 + number,
                takeover_ms=int(TAKEOVER_S * 1000),
            )
            for number in range(seats)
        ]
    )


def settle(lives: Sequence[Life]) -> None:
    """Have each node play its parts once."""
    for life in lives:
        life.record()


def intervals(nodes: int, rows: int) -> Mapping[str, float]:
    """Return how often each part is due."""
    polls = max(get_settings().poll_seconds, nodes / NODES_A_SECOND * max(1.0, rows / ROWS))
    keeps = {"renewals": INTERVAL_S, "looks": INTERVAL_S}
    size = FleetSize()
    size.nodes = nodes
    return {"polls": polls, "minutes": size.stretched(FULL_SECONDS), "pulses": PULSE_SECONDS, **keeps}


class Stage:
    """Plays all lives in one thread; each interval is varied as the product varies it."""

    def __init__(self, lives: Sequence[Life], server: BenchServer, every: Mapping[str, float]) -> None:
        self._lives, self._server, self._every = lives, server, every
        now = time.monotonic()
        self._queue = [
            (now + random.random() * interval, index, part)
            for index in range(len(lives))
            for part, interval in every.items()
        ]
        heapq.heapify(self._queue)

    @property
    def computed(self) -> float:
        """The statements a second that the intervals come to: 0.9 of each, as they vary from 0.8 to 1."""
        a_life = self._lives[0].statements
        return sum(len(a_life[part]) / (every * 0.9) for part, every in self._every.items()) * len(self._lives)

    def stretch(self, seconds: float) -> Figures:
        """Return what so many seconds come to."""
        asked, used, began = self._asked(), self._server.processor_s(), time.monotonic()
        self.run(seconds)
        took = time.monotonic() - began
        share = (self._server.processor_s() - used) / took * 100
        return Figures((self._asked() - asked) / took, share)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = time.monotonic() + seconds
        while self._queue[0][0] < until and (now := time.monotonic()) < until:
            due, index, part = self._queue[0]
            time.sleep(max(0.0, due - now))
            self._lives[index].replay(part)
            heapq.heapreplace(self._queue, (due + self._every[part] * random.uniform(0.8, 1.0), index, part))
        time.sleep(max(0.0, until - time.monotonic()))

    def parts(self) -> dict[str, float]:
        """Return what each part costs at full pace, played by one node after the other."""
        share = {}
        for part, every in self._every.items():
            before = self._server.processor_s()
            for play in range(PLAYS):
                self._lives[play * 7 % len(self._lives)].replay(part)
            each = (self._server.processor_s() - before) / PLAYS
            share[part] = round(each * len(self._lives) / (every * 0.9) * 100, 1)
        return share

    def _asked(self) -> int:
        return sum(life.asked for life in self._lives)

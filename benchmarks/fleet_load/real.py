"""All nodes by the ledger's own code: what they do when a row is saved, and when the server is restarted."""

import heapq
import random
import select
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db import Error

from benchmarks.fleet_load.life import INTERVAL_S, Life
from benchmarks.fleet_load.server import BenchServer
from workerd.ledger.seats import contact
from workerd.models import Job
from workerd.wire.lease import boot_time

EDIT_S = 10.0
OUT_S = 3.0
AFTER_S = 60.0


vars(contact)["emit"] = lambda *_, **__: None  # five hundred nodes have the same to say


class Real:
    """One thread for all; what it cannot do in time it does late, so ``due`` counts by when each was wanted."""

    def __init__(self, lives: Sequence[Life], server: BenchServer) -> None:
        self._lives, self._server = lives, server
        self._poll = select.epoll()
        self._of: dict[int, int] = {}
        self._due: dict[str, Counter[int]] = {}
        self._began = time.monotonic()
        self._queue: list[tuple[float, int, str]] = []
        self._look_at = [0.0] * len(lives)

    def edit(self) -> float:
        """Return the processor seconds that one saved row costs the server, beyond what it spends anyway."""
        self._begin()
        for index, life in enumerate(self._lives):
            if life.descriptor is not None:
                self._poll.register(life.descriptor, select.EPOLLIN)
                self._of[life.descriptor] = index
        before = self._server.processor_s()
        self._run(EDIT_S)
        idle = self._server.processor_s() - before
        Job.objects.first().save()  # type: ignore[union-attr]
        self._run(EDIT_S)
        for descriptor in self._of:
            self._poll.unregister(descriptor)
        self._of = {}
        return max(0.0, self._server.processor_s() - before - 2 * idle)

    def restart(self) -> dict[str, Any]:
        """Restart the server; return what all nodes want of it, and what it then spends, second by second."""
        self._begin()
        self._run(INTERVAL_S)
        self._server.stop()
        self._run(OUT_S)
        self._server.start()
        self._due, self._began = {}, time.monotonic()
        shares = []
        while time.monotonic() < self._began + AFTER_S:
            used, began = self._server.processor_s(), time.monotonic()
            self._run(1.0)
            shares.append((self._server.processor_s() - used) / (time.monotonic() - began) * 100)
        return {
            "most_due_in_a_second": {part: max(counts.values()) for part, counts in sorted(self._due.items())},
            "server_percent_each_second": [round(share) for share in shares],
        }

    def _begin(self) -> None:
        now = time.monotonic()
        self._queue = [
            (now + random.random() * INTERVAL_S, index, part)
            for index in range(len(self._lives))
            for part in ("ledger", "renewal", "look")
        ]
        heapq.heapify(self._queue)

    def _run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            due = self._queue[0][0]
            for descriptor, _ in self._poll.poll(max(0.0, min(due, until) - now)):
                self._lives[self._of[descriptor]].turn()
            if due <= time.monotonic():
                at, index, part = self._queue[0]
                if at >= self._began:  # what was wanted before is the backlog of this thread, which has waited
                    self._due.setdefault(part, Counter())[int(at - self._began)] += 1
                heapq.heapreplace(self._queue, (self._play(index, part), index, part))

    def _play(self, index: int, part: str) -> float:
        """Do what is due; return when the same is due again."""
        life = self._lives[index]
        if part == "ledger":
            return time.monotonic() + life.turn()
        if part == "renewal":
            return self._renew(index, life)
        if time.monotonic() < self._look_at[index]:
            return self._look_at[index]
        return self._try(life, life.look)

    def _renew(self, index: int, life: Life) -> float:
        """Renew as the keeper does: after an outage its first look comes at a moment of its own."""
        again = self._try(life, life.renew)
        if life.contact.retry_at > 0.0:
            self._look_at[index] = max(self._look_at[index], again)
        elif life.contact.answered():
            self._look_at[index] = time.monotonic() + INTERVAL_S * random.random()
        return again

    def _try(self, life: Life, play: Any) -> float:
        try:
            play()
        except (Error, OSError) as error:
            life.contact.failed(error, len(self._lives))
            return time.monotonic() + life.contact.retry_at - boot_time()
        life.contact.retry_at = 0.0
        return time.monotonic() + life.contact.spread()

"""Hundreds of nodes on one PostgreSQL: statements and rows a second, and what share of a processor the server takes.

``python -m benchmarks.fleet_load [--nodes 500] [--seats 1000] [--rows 1000] [--stretches 5] [--seconds 20] [--json]``

One process plays all nodes, by the real loop of the ledger and the real statements of the seats, on a server of its
own. Where this process cannot keep pace (``pace_percent``), the measured share tells nothing, and what each part costs
by itself has to be added up: a poll, a renewal and a look of each node every 4.5 s. The aim: at most 40 % of one
processor with the figures above.
"""

import argparse
import heapq
import json
import os
import random
import select
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fleet_load.server import BenchServer

AIM_PERCENT = 40.0


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, default in (("nodes", 500), ("seats", 1000), ("rows", 1000), ("stretches", 5), ("seconds", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", action="store_true", help="JSON alone, for programs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="workerd-fleet-load.", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = BenchServer(Path(folder))
        server.ensure_started()
        try:
            figures = _measure(server, options)
        finally:
            server.close()
    print(json.dumps(figures, indent=None if options.json else 2))


class Stretch(NamedTuple):
    """What a stretch of time came to, each a second."""

    statements: float
    rows: float
    share_percent: float


def _measure(server: BenchServer, options: argparse.Namespace) -> dict[str, Any]:
    lives = _set_up(server, options)
    stage = Stage(lives, server)
    stage.run(30.0)  # until each has counted the nodes, and drifted from the others
    stretches = [stage.stretch(float(options.seconds)) for _ in range(options.stretches)]
    edit_s = stage.edit()
    median = Stretch(*(statistics.median(values) for values in zip(*stretches, strict=True)))
    due = _computed(options)
    return {
        "nodes": options.nodes,
        "seats": options.seats,
        "job_rows": options.rows,
        "stretches": options.stretches,
        "seconds": options.seconds,
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "statements_a_second_computed": round(due["statements"]),
        "statements_a_second": round(median.statements),
        "rows_of_looks_a_second_computed": round(due["rows"]),
        "rows_of_looks_a_second": round(median.rows),
        "pace_percent": round(median.statements / due["statements"] * 100),
        "server_percent_of_one_processor": round(median.share_percent, 1),
        "each_stretch_percent": [round(stretch.share_percent, 1) for stretch in stretches],
        "aim_percent": AIM_PERCENT,
        "server_ms_for_one_edit": round(edit_s * 1e3),
        "by_part_percent_at_full_pace": stage.parts(),
    }


def _set_up(server: BenchServer, options: argparse.Namespace) -> list[Any]:
    url = f"postgres+psycopg2://{server.superuser}@{server.address.host}:{server.address.port}/postgres?sslmode=disable"
    os.environ.update(
        DATABASE_URL=url, DJANGO_SETTINGS_MODULE="django_site.settings", WORKERD_STATE_DIR=str(server.folder)
    )
    import django
    from django.db import connections

    django.setup()
    from django.core.management import call_command

    from benchmarks.fleet_load.life import TAKEOVER_S, Life
    from workerd.conf import get_settings
    from workerd.models import Job, Seat
    from workerd.wire.page import HeartbeatPage

    call_command("migrate", verbosity=0)
    Job.objects.bulk_create(
        [Job(name=f"job-{i}", target="shop.jobs.price_feed", kwargs={"shelf": i}) for i in range(options.rows)]
    )
    page = os.memfd_create("page")
    os.ftruncate(page, 4096)
    lives = []
    for index in range(options.nodes):
        aliases = f"ledger-{index}", f"seats-{index}"
        for alias in aliases:
            connections.settings[alias] = {**connections.settings["default"]}
        lives.append(Life(index, *aliases, get_settings(), HeartbeatPage(os.dup(page))))
        lives[-1].arrive()
    jobs = list(Job.objects.values_list("pk", flat=True))
    Seat.objects.bulk_create(
        [
            Seat(
                job_id=jobs[number % len(jobs)],
                index=number // len(jobs),
                node_id=lives[number % len(lives)].pk,
                life=lives[number % len(lives)].life,
                token=1,
                takeover_ms=int(TAKEOVER_S * 1000),
            )
            for number in range(options.seats)
        ]
    )
    return lives


def _computed(options: argparse.Namespace) -> dict[str, float]:
    """Return what the intervals say: 0.9 of each, as they vary from 0.8 to 1."""
    from benchmarks.fleet_load.life import INTERVAL_S
    from workerd.conf import get_settings
    from workerd.ledger.job_reading import FULL_SECONDS
    from workerd.ledger.main import PULSE_SECONDS
    from workerd.ledger.poll_times import NODES_A_SECOND, ROWS

    nodes = options.nodes
    poll_s = max(get_settings().poll_seconds, nodes / NODES_A_SECOND * max(1.0, options.rows / ROWS)) * 0.9
    looks = nodes / (INTERVAL_S * 0.9)
    polls, pulses, minutes = nodes / poll_s, nodes / (PULSE_SECONDS * 0.9), nodes / FULL_SECONDS
    # A poll: question, orders. A pulse: one. A renewal: SET, node, seats, answer. A look: SET, seats, nodes.
    statements = polls * 2 + pulses + looks * (4 + 3) + minutes * 10
    return {"statements": statements, "rows": looks * (options.seats + nodes)}


class Stage:
    """Plays all lives in one thread, each when it is due."""

    def __init__(self, lives: list[Any], server: BenchServer) -> None:
        from benchmarks.fleet_load.life import INTERVAL_S

        self._lives, self._server, self._interval = lives, server, INTERVAL_S
        self._queue: list[tuple[float, int, str]] = []
        self._poll = select.epoll()
        self._of: dict[int, int] = {}
        self._late = self._done = self._rows = 0
        self._spent: Counter[str] = Counter()
        self._due: Counter[str] = Counter()
        now = time.monotonic()
        for index, life in enumerate(lives):
            for part in ("turn", "renew", "look"):
                heapq.heappush(self._queue, (now + random.random() * INTERVAL_S, index, part))
            if life.descriptor is not None:
                self._poll.register(life.descriptor, select.EPOLLIN)
                self._of[life.descriptor] = index

    def stretch(self, seconds: float) -> Stretch:
        """Return what so many seconds come to."""
        asked, used, began = self._asked(), self._server.processor_s(), time.monotonic()
        self._rows = 0
        self.run(seconds)
        took = time.monotonic() - began
        statements = (self._asked() - asked) / took
        share = (self._server.processor_s() - used) / took * 100
        return Stretch(statements, self._rows / took, share)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            due = self._queue[0][0]
            for descriptor, _ in self._poll.poll(max(0.0, min(due, until) - now)):
                self._lives[self._of[descriptor]].turn()
            if due <= time.monotonic():
                at, index, part = heapq.heappop(self._queue)
                heapq.heappush(self._queue, (self._play(at, index, part), index, part))

    def edit(self) -> float:
        """Return the processor seconds that one saved row costs the server, beyond what it spends anyway."""
        from workerd.models import Job

        seconds = 10.0
        before = self._server.processor_s()
        self.run(seconds)
        idle = self._server.processor_s() - before
        Job.objects.first().save()  # type: ignore[union-attr]
        self.run(seconds)
        return max(0.0, self._server.processor_s() - before - 2 * idle)

    def parts(self) -> dict[str, float]:
        """Return what each kind of turn costs the server, played by one life again and again."""
        life, share = self._lives[0], {}
        kinds: dict[str, Callable[[], Any]] = {"polls": life.poll, "renewals": life.renew, "looks": life.look}
        for name, play in kinds.items():
            before = self._server.processor_s()
            for _ in range(100):
                play()
            each = (self._server.processor_s() - before) / 100
            share[name] = round(each * len(self._lives) / (self._interval * 0.9) * 100, 1)
        return share

    def _play(self, at: float, index: int, part: str) -> float:
        life = self._lives[index]
        if part == "turn":
            return time.monotonic() + float(life.turn())
        if part == "renew":
            life.renew()
        else:
            self._rows += life.look()
        return at + self._interval * random.uniform(0.8, 1.0)

    def _asked(self) -> int:
        return sum(life.asked.total() for life in self._lives)


if __name__ == "__main__":
    main()

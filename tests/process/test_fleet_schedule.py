"""A schedule in the fleet: each of its times is due once, wherever its seat is, and whatever ends a node."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.project import ALIAS, Project
from tests.harness.waiting import eventually
from workerd.models import Run

from .test_fleet_verbs import TwoNodes

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

EVERY_S = 10
WITHIN_S = 90.0
"""A takeover takes 12 s, and the next time comes within ten."""


@pytest.fixture
def nodes(project: Project, tmp_path: Path) -> Iterator[TwoNodes]:
    nodes = TwoNodes(project, tmp_path)
    yield nodes
    nodes.end()


def accounted() -> Counter[int]:
    """Return how many rows there are for each time from the first to the last: runs, and rows of what was missed."""
    times: Counter[int] = Counter()
    for due, missed in Run.objects.using(ALIAS).filter(job_name="quick").values_list("due", "missed"):
        assert due is not None
        for number in range(missed or 1):
            times[int(due.timestamp()) + number * EVERY_S] += 1
    return times


def finished() -> int:
    return Run.objects.using(ALIAS).filter(job_name="quick", outcome="finished").count()


def test_each_time_is_due_once_where_its_holder_is_killed(nodes: TwoNodes) -> None:
    schedule = {"schedule": f"every {EVERY_S} s", "restart": "never", "start_within": 600.0}
    nodes.project.add_job("quick", "finish", scope="fleet", takeover_after=10.0, **schedule)
    nodes.start("a")
    nodes.wait_for("quick", "a")
    nodes.start("b")
    eventually(lambda: finished() >= 1, WITHIN_S, "a run")
    nodes.be("a")
    os.kill(nodes.daemons["a"].pid, signal.SIGKILL)
    nodes.wait_for("quick", "b")
    runs = finished()
    eventually(lambda: finished() >= runs + 2, WITHIN_S, "two more runs")
    nodes.be("b")
    nodes.daemons["b"].signal(signal.SIGTERM)
    nodes.daemons["b"].wait()

    times = accounted()
    assert [time for time, rows in times.items() if rows > 1] == []
    assert sorted(times) == list(range(min(times), max(times) + EVERY_S, EVERY_S))

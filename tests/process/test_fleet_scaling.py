"""A scaler of the fleet: on two nodes one of them acts, and the other goes on where it ended."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.log import Event
from tests.harness.project import ALIAS, Project
from tests.harness.waiting import eventually
from tests.process.bad_jobs.models import Mark

from .test_fleet_verbs import TAKEOVER_S, TwoNodes

pytestmark = [pytest.mark.slow, pytest.mark.backends("postgres-psycopg2")]

WITHIN_S = 60.0


@pytest.fixture
def nodes(project: Project, tmp_path: Path) -> Iterator[TwoNodes]:
    project.settings |= {"ENGINES": ["scaling"], "PRELOAD": ["tests.process.scaling_probes"]}
    nodes = TwoNodes(project, tmp_path)
    yield nodes
    nodes.end()


def add_rows(nodes: TwoNodes) -> None:
    fleet: dict[str, Any] = {"scope": "fleet", "takeover_after": TAKEOVER_S}
    nodes.project.add_job("idle", **fleet)
    kwargs = {"job": "idle", "depth": "marks:parcel", "most": 4, "per_process": 5, "calm": 2, "every": 1}
    nodes.project.add_job("scaler", target="workerd.contrib.scaling.scale", kwargs=kwargs, signals_ready=True, **fleet)


def add_tasks(count: int) -> None:
    Mark.objects.using(ALIAS).bulk_create([Mark(job="parcel", pid=1) for _ in range(count)])


def changes(nodes: TwoNodes, name: str) -> list[Event]:
    return nodes.daemons[name].events("scaling.changed")


def wait_for_processes(nodes: TwoNodes, count: int) -> None:
    row = nodes.project.jobs.filter(name="idle", processes=count)
    eventually(row.exists, WITHIN_S, f"{count} processes to be wanted")


def wait_for_seats(nodes: TwoNodes, count: int) -> None:
    eventually(lambda: len(list(filter(None, nodes.holders("idle")))) == count, WITHIN_S, f"{count} seats to be held")


def test_one_node_scales_for_both_and_the_other_goes_on_after_its_end(nodes: TwoNodes) -> None:
    add_rows(nodes)
    for name in "ab":
        nodes.start(name)
    eventually(lambda: all(nodes.holders("scaler") or [""]), WITHIN_S, "a node to take the scaler")
    add_tasks(17)
    wait_for_processes(nodes, 4)
    wait_for_seats(nodes, 4)

    [first] = nodes.holders("scaler")
    other = "b" if first == "a" else "a"
    assert len(changes(nodes, first)) == 1
    nodes.be(first)
    nodes.daemons[first].kill()
    eventually(lambda: nodes.holders("scaler") == [other], WITHIN_S, "the other node to take the scaler")
    wait_for_seats(nodes, 4)
    assert changes(nodes, other) == [], "all is as it has to be"
    Mark.objects.using(ALIAS).all().delete()
    wait_for_processes(nodes, 1)
    wait_for_seats(nodes, 1)

    said = list(nodes.project.operations.filter(verb="scale").order_by("requested").values_list("result", flat=True))
    assert said == [
        "processes 1 → 4: 17 tasks wait",
        "processes 4 → 3: 0 tasks wait",
        "processes 3 → 2: 0 tasks wait",
        "processes 2 → 1: 0 tasks wait",
    ]
    assert [event["processes"] for event in changes(nodes, other)] == [3, 2, 1]
    nodes.be(other)
    nodes.daemons[other].stop()

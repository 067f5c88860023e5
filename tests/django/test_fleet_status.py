"""``status --fleet``: who has which seat, why another has no holder, and how the nodes are."""

import json
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from workerd.fleet.picture import read_fleet
from workerd.models import Seat
from workerd.wire import exit_codes
from workerd.wire.rollout_seat import ROLLOUT_JOB

from .fleet_rows import add_fleet_job, add_node, seat

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]


def status(*options: str) -> tuple[int, str]:
    """Return the exit code of ``status --fleet`` and what it printed."""
    printed, code = StringIO(), exit_codes.DONE
    try:
        call_command("workerd", "status", "--fleet", *options, stdout=printed, stderr=printed)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, printed.getvalue()


def seats() -> dict[str, Any]:
    return {told["seat"]: told for told in json.loads(status("--json")[1])["seats"]}


def test_it_names_the_holder_of_each_seat_since_when_and_how_often_it_moved() -> None:
    web, db = add_node("web"), add_node("db")
    job = add_fleet_job(processes=2)
    seat(job, 0, web, moves=3)
    seat(job, 1, db)

    code, printed = status()

    assert code == exit_codes.DONE
    assert "fleet: 2 of 2 nodes report, 2 seats held, 2 wanted" in printed
    row = next(line for line in printed.splitlines() if line.startswith("feed:0"))
    assert "web@rack" in row
    assert "1 min 3" in row
    assert row.endswith("  3")
    assert (seats()["feed:1"]["node"], seats()["feed:1"]["token"]) == ("db@rack", 7)


@pytest.mark.parametrize(
    ("node", "job", "held", "reason"),
    [
        ({}, {"enabled": False}, {}, "its job is disabled"),
        ({}, {}, {"stopped_by": "ann"}, "stopped by ann"),
        ({"draining": True}, {}, {}, "no node may run it: web@rack is draining"),
        ({"silent_s": 60}, {}, {}, "no node may run it: web@rack is silent"),
        (
            {"labels": {"zone": "b"}},
            {"where": "zone=a"},
            {},
            "no node may run it: web@rack has zone=b, and where asks for zone=a",
        ),
        ({}, {}, {}, "a node that may run it takes it within seconds"),
    ],
)
def test_a_seat_without_a_holder_says_why(
    node: dict[str, Any], job: dict[str, Any], held: dict[str, Any], reason: str
) -> None:
    add_node("web", **node)
    seat(add_fleet_job(**job), 0, **held)

    assert seats()["feed"]["reason"] == reason


def test_a_seat_that_no_node_has_made_yet_is_there() -> None:
    add_node("web")
    add_fleet_job()

    assert (seats()["feed"]["held"], seats()["feed"]["wanted"]) == (False, True)


def test_a_job_that_its_node_has_refused_says_so() -> None:
    job = add_fleet_job()
    add_node("web", cannot=json.dumps({str(job.pk): "“shop.jobs” does not import."}))

    assert seats()["feed"]["reason"] == "no node may run it: web@rack has refused the job"


def test_a_silent_holder_is_said_and_fails_the_command() -> None:
    seat(add_fleet_job(), 0, add_node("web", silent_s=20))

    code, printed = status()

    assert code == exit_codes.FAILED
    assert "its node is silent for 2" in printed
    assert "another one takes it over after 30 s" in printed


def test_what_an_operator_has_stopped_is_no_failure() -> None:
    add_node("web")
    seat(add_fleet_job(), 0, stopped_by="ann")

    assert status()[0] == exit_codes.DONE


def test_nodes_show_their_labels_their_drain_and_their_pulse() -> None:
    add_node("web", labels={"zone": "a", "ssd": ""}, draining=True)
    add_node("db", silent_s=7200)

    nodes = {node["name"]: node for node in json.loads(status("--json")[1])["nodes"]}
    printed = status()[1]

    assert (nodes["web"]["labels"], nodes["web"]["draining"]) == ({"zone": "a", "ssd": ""}, True)
    assert (nodes["db"]["reports"], nodes["db"]["pulse_age_s"] >= 7200) == (False, True)
    assert "draining" in next(line for line in printed.splitlines() if line.startswith("web@rack"))
    assert "ssd, zone=a" in printed


def test_a_fleet_of_any_size_takes_three_queries() -> None:
    nodes = [add_node(f"n{number}") for number in range(5)]
    for number in range(5):
        job = add_fleet_job(f"job{number}", processes=5)
        for index, node in enumerate(nodes):
            seat(job, index, node)

    with CaptureQueriesContext(connection) as captured:
        fleet = read_fleet("default")

    assert len(captured) == 3
    assert fleet.held == {node.pk: 5 for node in nodes}


def test_it_names_the_node_that_drains_or_reloads_and_counts_no_seat_for_that() -> None:
    web = add_node("web")
    turn = Seat.objects.create(job_id=ROLLOUT_JOB, index=0, takeover_ms=30_000, node=web, life=web.life or uuid4())
    code, printed = status()
    assert (code, "web@rack drains or reloads" in printed) == (exit_codes.DONE, True)
    assert "0 seats held, 0 wanted" in printed
    Seat.objects.filter(pk=turn.pk).update(life=None)

    assert "drains or reloads" not in status()[1]

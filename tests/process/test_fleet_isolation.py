"""Seats are held, given up and claimed anew whatever isolation level the project asks for."""

import signal

import pytest

from tests.harness.project import ALIAS, Project
from tests.harness.waiting import eventually
from workerd.models import Seat
from workerd.wire import exit_codes

from .test_fleet_verbs import TwoNodes, nodes

__all__ = ["nodes"]
pytestmark = [pytest.mark.slow, pytest.mark.backends("postgres-psycopg2", "mysql-pymysql")]

WITHIN_S = 60.0


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_seat_moves_and_a_seat_that_vanished_is_made_anew(project: Project, nodes: TwoNodes, level: str) -> None:
    project.extra_env |= {
        "DJANGO_SETTINGS_MODULE": "tests.process.isolation_settings",
        "WORKERD_TEST_ISOLATION": level,
    }
    project.add_job("feed", "idle", scope="fleet", takeover_after=10.0)
    nodes.start("a")
    nodes.wait_for("feed", "a")
    first = eventually(lambda: nodes.running("a", "feed"), WITHIN_S, "the process at a")
    nodes.start("b")

    nodes.be("a")
    nodes.daemons["a"].signal(signal.SIGTERM)  # stop() looks whether anything of the project is left
    assert nodes.daemons["a"].wait() == exit_codes.DONE
    nodes.wait_for("feed", "b")
    second = eventually(lambda: nodes.running("b", "feed"), WITHIN_S, "the process at b")
    Seat.objects.using(ALIAS).all().delete()
    eventually(lambda: nodes.running("b", "feed") != second, WITHIN_S, "the end of the process without a seat")
    nodes.wait_for("feed", "b")
    third = eventually(lambda: nodes.running("b", "feed"), WITHIN_S, "the process of the new seat")

    assert len({first, second, third}) == 3
    nodes.be("b")
    nodes.daemons["b"].stop()

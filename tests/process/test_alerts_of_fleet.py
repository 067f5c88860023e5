"""Alerts about the fleet: whichever node sees the matter, one of them sends it, once, and its end."""

import signal

import pytest

from tests.harness.alerted import Alerted, receiving
from tests.harness.project import ALIAS, BAD_JOBS
from tests.harness.waiting import eventually
from workerd.models import Node, Seat

from .test_fleet_verbs import TAKEOVER_S, WITHIN_S, TwoNodes, nodes

__all__ = ["nodes"]
pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]
NOT_ALLOWED = "tests.process.fleet_targets.work"
SILENCE_S = 90.0
"""A node is silent after half a minute, and each of the others looks every ten seconds."""


def test_each_matter_of_the_fleet_is_told_by_one_node(nodes: TwoNodes) -> None:
    """A seat that is lost, one that nobody takes, and a node that is killed."""
    project = nodes.project
    with receiving(project, ALERT_QUIET_SECONDS=0) as (hook, box):
        project.add_job("idle", scope="fleet", takeover_after=TAKEOVER_S)
        nodes.start("a")
        nodes.wait_for("idle", "a")
        nodes.start("b")
        alerted = Alerted(project, nodes.daemons["a"], hook, box)

        project.add_job("homeless", target=NOT_ALLOWED, scope="fleet", takeover_after=TAKEOVER_S)
        untaken = alerted.wait("seat_untaken", "raised", "homeless", within=SILENCE_S)
        project.edit_job("homeless", target=f"{BAD_JOBS}.idle")
        alerted.assert_told_once("seat_untaken", "homeless")

        project.add_job("nowhere", "idle", scope="fleet", takeover_after=TAKEOVER_S, where="zone=nowhere")
        lacking = alerted.wait("seat_untaken", "raised", "nowhere", within=SILENCE_S)
        project.edit_job("nowhere", where="")
        alerted.assert_told_once("seat_untaken", "nowhere")

        seats = Seat.objects.using(ALIAS).filter(job__name="idle")
        holder = seats.get()
        other = Node.objects.using(ALIAS).exclude(name=str(holder.node).partition("@")[0]).get()
        seats.update(node=other, life=other.life, token=holder.token + 1, beat=holder.beat + 1)
        alerted.wait("seat_lost", "raised", "idle")

        nodes.daemons["b"].signal(signal.SIGKILL)
        nodes.daemons["b"].wait()
        silent = alerted.wait("node_silent", "raised", within=SILENCE_S)
        nodes.start("b")
        alerted.assert_told_once("node_silent")
        eventually(lambda: all(nodes.holders("idle")), WITHIN_S, "the seat to be taken again")

        assert silent.json["dedup_key"] == f"node_silent {other if other.name == 'b' else holder.node}"
        assert "no node has that label" in lacking.json["text"]
        assert untaken.json["dedup_key"] == "seat_untaken homeless:0"
        assert len(alerted.posts("seat_untaken", "raised", "homeless")) == 1
        assert len(alerted.posts("node_silent", "raised")) == 1
        for name in "ab":
            nodes.be(name)
            nodes.daemons[name].signal(signal.SIGTERM)
            nodes.daemons[name].wait()
            assert nodes.daemons[name].faults() == []

"""Nodes beside ours that are gone for good."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from workerd.ledger.gone_nodes import GONE_AFTER, GoneNodes
from workerd.ledger.history import RunHistory
from workerd.ledger.node import NodeRow
from workerd.ledger.registration import Claimant
from workerd.models import Job, Node, Run, Seat, Slot
from workerd.models.clock import DatabaseNow

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
MONTH = timedelta(days=30)


@pytest.fixture
def us() -> NodeRow:
    row = NodeRow("default", Claimant("shop", "host-1"))
    row.write_pulse()
    return row


@pytest.fixture
def leave(us: NodeRow) -> Callable[[timedelta], Node]:
    """Return a function that makes a node with a slot and an open run, whose last pulse is so long ago."""
    now = Node.objects.get(pk=us.pk).pulse
    assert now is not None

    def leave_node(ago: timedelta) -> Node:
        node = Node.objects.create(name="shop", host=f"container-{uuid.uuid4()}", pulse=now - ago)
        Slot.objects.create(node=node, job_name="mail", name="mail", state="RUNNING")
        Run.objects.create(node=node, job_name="mail", slot="mail", born=now - ago - MINUTE)
        return node

    return leave_node


def tend(us: NodeRow) -> None:
    GoneNodes("default", us, MONTH).tend()


def test_the_runs_of_a_node_that_is_gone_end_as_lost_when_it_last_reported(
    us: NodeRow, leave: Callable[[timedelta], Node]
) -> None:
    node = leave(GONE_AFTER + MINUTE)
    tend(us)
    run = Run.objects.get(node_id=node.pk)

    assert (run.outcome, run.ended) == ("lost", node.pulse)
    assert not Slot.objects.filter(node=node).exists()
    assert Node.objects.filter(pk=node.pk).exists()


def test_a_lost_run_of_a_long_life_stays_for_the_retention(us: NodeRow, leave: Callable[[timedelta], Node]) -> None:
    """It was written last when it began; what counts is when its end was written down."""
    node = leave(GONE_AFTER + MINUTE)
    assert node.pulse is not None
    long_ago = node.pulse - 2 * MONTH
    Run.objects.filter(node_id=node.pk).update(born=long_ago, recorded=long_ago)
    RunHistory("default", us, MONTH.total_seconds()).tend(drained=False)

    assert Run.objects.get(node_id=node.pk).outcome == "lost"


def test_a_run_that_began_after_the_last_pulse_ends_at_its_birth(
    us: NodeRow, leave: Callable[[timedelta], Node]
) -> None:
    node = leave(GONE_AFTER + MINUTE)
    assert node.pulse is not None
    Run.objects.filter(node_id=node.pk).update(born=node.pulse + MINUTE)
    tend(us)
    run = Run.objects.get(node_id=node.pk)

    assert run.ended == run.born


@pytest.mark.parametrize(("ago", "server"), [(GONE_AFTER - MINUTE, "s1"), (GONE_AFTER + MINUTE, None)])
def test_a_gone_nodes_word_on_the_server_counts_no_more(
    us: NodeRow, leave: Callable[[timedelta], Node], ago: timedelta, server: str | None
) -> None:
    node = leave(ago)
    Node.objects.update(server="s1")
    tend(us)

    assert Node.objects.get(pk=node.pk).server == server
    assert Node.objects.get(pk=us.pk).server == "s1"


def test_a_node_that_may_come_back_keeps_what_it_has(us: NodeRow, leave: Callable[[timedelta], Node]) -> None:
    node = leave(GONE_AFTER - MINUTE)
    Slot.objects.create(node_id=us.pk, job_name="mail", name="mail", state="RUNNING")
    Run.objects.create(node_id=us.pk, job_name="mail", slot="mail", born=timezone.now())
    tend(us)

    assert Slot.objects.filter(node=node).exists()
    assert Run.objects.filter(ended=None).count() == Slot.objects.count() == 2


def test_a_node_goes_after_the_retention_and_its_runs_stay(us: NodeRow, leave: Callable[[timedelta], Node]) -> None:
    node = leave(MONTH + MINUTE)
    tend(us)

    assert not Node.objects.filter(pk=node.pk).exists()
    assert Run.objects.filter(node_id=node.pk, outcome="lost").count() == 1


def test_many_nodes_are_tended_within_few_calls(us: NodeRow, leave: Callable[[timedelta], Node]) -> None:
    """A new container for each deploy, ten a day."""
    for _ in range(50):
        leave(GONE_AFTER + MINUTE)
    for _ in range(3):
        tend(us)

    assert not Run.objects.filter(ended=None).exists()
    assert not Slot.objects.exists()


def test_a_node_that_is_gone_keeps_its_key_and_its_seats(us: NodeRow, leave: Callable[[timedelta], Node]) -> None:
    """It may come back, and finds its row by the key; whether a seat may be taken only its window tells."""
    node, life = leave(GONE_AFTER + MINUTE), uuid.uuid4()
    Node.objects.filter(pk=node.pk).update(key=uuid.uuid4(), life=life)
    job = Job.objects.create(name="mail", target="shop.jobs.mail")
    Seat.objects.create(job=job, index=0, node=node, life=life, token=7, takeover_ms=30_000)
    tend(us)
    node.refresh_from_db()
    seat = Seat.objects.get()

    assert (node.life, seat.life, seat.node_id, seat.token) == (life, life, node.pk, 7)


def test_a_node_whose_row_went_after_the_retention_comes_back(us: NodeRow) -> None:
    who = Claimant("shop", "web9")
    away = NodeRow("default", who)
    away.write_pulse()
    Node.objects.filter(pk=away.pk).update(pulse=DatabaseNow() - MONTH - MINUTE)
    tend(us)
    assert not Node.objects.filter(key=who.key).exists()
    away.write_pulse()

    assert Node.objects.get(key=who.key).life == who.life

"""What an order means in the whole fleet: seats stopped in their rows, orders for other holders, a drain weighed."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.db import OperationalError

from workerd.fleet.picture import read_fleet
from workerd.fleet.rebalancing import next_move
from workerd.ledger.fleet_orders import FleetOrders
from workerd.models import Job, Node, Operation, Seat
from workerd.wire.messages import DrainWeighed, Message, PassedOn, PassOn, SeatsStopped, StopSeats, WeighDrain

from .fleet_rows import add_fleet_job, add_node, seat

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]


class Ledger:
    """The orders of one node's ledger, and what the daemon hears."""

    def __init__(self, node: Node) -> None:
        self.heard: list[Message] = []
        self.orders = FleetOrders("default", cast("Any", SimpleNamespace(pk=node.pk)), self.heard.append)

    def ask(self, message: Message) -> Message:
        """Return the answer."""
        self.orders.hear(message)
        self.orders.carry_out()
        return self.heard[-1]


def stopped() -> dict[int, str]:
    return dict(Seat.objects.values_list("index", "stopped_by"))


def test_a_stop_is_written_into_the_seats_and_a_start_clears_it() -> None:
    node = add_node("a")
    job, ledger = add_fleet_job(processes=2), Ledger(node)
    seat(job, 0, node)
    seat(job, 1)

    answer = ledger.ask(StopSeats([[job.pk, 0], [job.pk, 1]], "ann"))
    whole = stopped()
    ledger.ask(StopSeats([[job.pk, 1]], ""))

    assert answer == SeatsStopped([[job.pk, 0], [job.pk, 1]], "ann")
    assert (whole, stopped()) == ({0: "ann", 1: "ann"}, {0: "ann", 1: ""})


def test_a_start_after_a_stop_makes_up_for_no_time_of_the_schedule() -> None:
    job, ledger = add_fleet_job(processes=2), Ledger(add_node("a"))
    seat(job, 0)
    seat(job, 1)
    Seat.objects.update(settled_until=1_700_000_000.0, due=1_700_000_000.0)
    ledger.ask(StopSeats([[job.pk, 0]], "ann"))
    ledger.ask(StopSeats([[job.pk, 0], [job.pk, 1]], ""))

    assert dict(Seat.objects.values_list("index", "settled_until")) == {0: None, 1: 1_700_000_000.0}


def test_a_stop_that_the_database_cannot_take_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    job, ledger = add_fleet_job(), Ledger(add_node("a"))
    seat(job, 0)
    ledger.orders.hear(StopSeats([[job.pk, 0]], "ann"))
    with monkeypatch.context() as broken:
        broken.setattr(ledger.orders, "_answer", _out)
        with pytest.raises(OperationalError):
            ledger.orders.carry_out()
    ledger.orders.carry_out()

    assert stopped() == {0: "ann"}


def _out(_message: Message) -> Message:
    raise OperationalError("gone away")


def test_an_order_for_seats_of_other_nodes_becomes_theirs() -> None:
    a, b = add_node("a"), add_node("b")
    job = add_fleet_job(processes=3)
    seat(job, 0, a)
    seat(job, 1, b)
    seat(job, 2)

    answer = Ledger(a).ask(PassOn("restart", [[job.pk, index] for index in range(3)], "ann"))

    assert answer == PassedOn("restart", [[job.pk, 0, ""], [job.pk, 1, "b@rack"], [job.pk, 2, ""]])
    [order] = Operation.objects.all()
    assert (order.verb, order.job, order.slot, order.node, order.requested_by) == ("restart", job, "feed:1", b, "ann")


def test_a_drain_that_stops_a_job_is_refused_and_says_which() -> None:
    a, b = add_node("a", labels={"zone": "a"}), add_node("b")
    alone, common = add_fleet_job("alone", where="zone=a"), add_fleet_job("common")
    seat(alone, 0, a)
    seat(common, 0, a)

    answer = Ledger(a).ask(WeighDrain())

    assert isinstance(answer, DrainWeighed)
    assert answer.refusal.startswith("a@rack is the last node that may run alone: to drain it stops it.")
    assert Ledger(b).ask(WeighDrain()) == DrainWeighed("")


@pytest.mark.parametrize("other", [{"draining": True}, {"silent_s": 60}])
def test_a_node_that_drains_or_is_silent_takes_nothing_over(other: dict[str, Any]) -> None:
    a = add_node("a")
    add_node("b", **other)
    seat(add_fleet_job(), 0, a)

    answer = Ledger(a).ask(WeighDrain())

    assert isinstance(answer, DrainWeighed)
    assert "feed" in answer.refusal


def test_what_is_stopped_or_disabled_anyway_keeps_nobody_from_a_drain() -> None:
    a = add_node("a")
    seat(add_fleet_job("off", enabled=False), 0, a)
    seat(add_fleet_job("held"), 0, a, stopped_by="ann")

    assert Ledger(a).ask(WeighDrain()) == DrainWeighed("")


# rebalancing


def moves(job: str = "") -> tuple[str, str, str] | None:
    move = next_move(read_fleet("default"), job)
    return move and (move.place.name, move.holder.name, move.fewest.name)


def held_by(job: Job, *nodes: Node) -> None:
    for index, node in enumerate(nodes):
        seat(job, index, node)


def test_the_node_with_most_gives_one_to_the_node_with_fewest() -> None:
    a, _b = add_node("a"), add_node("b")
    held_by(add_fleet_job(processes=2, movable=True), a, a)

    assert moves() == ("feed:1", "a", "b")
    assert moves("another") is None


@pytest.mark.parametrize(
    ("job", "other"),
    [
        ({"movable": False}, {}),
        ({"enabled": False}, {}),
        ({"where": "zone=a"}, {}),
        ({}, {"draining": True}),
        ({}, {"silent_s": 60}),
        ({}, {"cannot": "job"}),
    ],
)
def test_nothing_moves_that_may_not(job: dict[str, Any], other: dict[str, Any]) -> None:
    a = add_node("a", labels={"zone": "a"})
    row = add_fleet_job(processes=2, **{"movable": True, **job})
    held_by(row, a, a)
    add_node("b", **({"cannot": json.dumps({str(row.pk): "no module"})} if "cannot" in other else other))

    assert moves() is None


def test_what_is_even_stays() -> None:
    a, b = add_node("a"), add_node("b")
    held_by(add_fleet_job(processes=3, movable=True), a, a, b)

    assert moves() is None


def test_nothing_moves_while_a_seat_is_on_its_way() -> None:
    a, _b = add_node("a"), add_node("b")
    row = add_fleet_job(processes=3, movable=True)
    held_by(row, a, a)
    seat(row, 2)

    assert moves() is None

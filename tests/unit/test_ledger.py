"""The ledger as the daemon knows it: what it tells becomes slots, and what it has not acknowledged is sent again."""

import signal
from typing import Any

import pytest

from tests.harness.node import Node, orders_of
from workerd.daemon.node.ledger import LEDGER_SPEC, Ledger
from workerd.wire.messages import (
    DatabaseConnected,
    DatabaseLost,
    Drain,
    Drained,
    JobChanged,
    JobRefused,
    JobRemoved,
    JobsListed,
    OperationTaken,
    PushFound,
    Waiting,
)
from workerd.wire.spec import JobSpec
from workerd.wire.words import State


@pytest.fixture
def ledger(node: Node) -> Ledger:
    """The ledger of a node that has started it."""
    node.start()
    return node.parts.ledger


def changed(name: str, **fields: Any) -> JobChanged:
    return JobChanged(JobSpec(name, **fields).to_dict())


def names(node: Node) -> list[str]:
    return sorted(slot.name for slot in node.parts.slot_set.job_slots())


def test_a_row_becomes_its_slots(node: Node, ledger: Ledger) -> None:
    node.tell(changed("feed", processes=2), changed("mail"))
    node.settle()

    assert [(slot.name, slot.state) for slot in node.parts.slot_set.job_slots()] == [
        ("feed:0", State.RUNNING),
        ("feed:1", State.RUNNING),
        ("mail", State.RUNNING),
    ]


def test_a_row_that_cannot_be_run_is_parked_with_its_problem(node: Node, ledger: Ledger) -> None:
    node.tell(JobRefused(JobSpec("feed").to_dict(), "there is no such target"))

    assert (node.slot("feed").state, node.slot("feed").reason) == (State.PARKED, "there is no such target")


MISFIT = "has zone=a, and where asks for zone=b"


def test_a_row_that_the_labels_of_this_node_do_not_fit_has_no_slots_here_and_says_why(
    node: Node, ledger: Ledger
) -> None:
    orders: list[dict[str, Any]] = []
    node.tell(changed("mail"), JobChanged(JobSpec("feed", processes=0).to_dict(), MISFIT), JobsListed(2))
    orders_of(node.parts).carry_out("restart", ["feed"], orders.append)
    node.turn()

    assert names(node) == ["mail"]
    assert node.parts.slot_set.misfits == {"feed": MISFIT}
    assert orders[0]["slots"][0]["text"] == f"it runs on other nodes: this node {MISFIT}"


def test_a_process_ends_where_its_row_asks_for_other_labels_and_starts_where_it_does_no_more(
    node: Node, ledger: Ledger
) -> None:
    node.tell(changed("feed"), JobsListed(1))
    node.settle()
    slot = node.slot("feed")
    node.tell(JobChanged(JobSpec("feed", processes=0).to_dict(), MISFIT), JobsListed(1))
    node.end_child(slot, signal=signal.SIGTERM)
    left = names(node)
    node.tell(changed("feed"), JobsListed(1))
    node.settle()

    assert slot.cause == f"this node {MISFIT}"
    assert left == []
    assert node.slot("feed").state is State.RUNNING
    assert node.parts.slot_set.misfits == {}


def test_labels_that_have_changed_are_told_although_the_row_is_the_same(node: Node, ledger: Ledger) -> None:
    none = JobSpec("feed", processes=0).to_dict()
    node.tell(JobChanged(none), JobsListed(1))
    node.tell(JobChanged(none, MISFIT), JobsListed(1))

    assert node.parts.slot_set.misfits == {"feed": MISFIT}


def test_a_row_that_was_deleted_takes_its_slots_along(node: Node, ledger: Ledger) -> None:
    node.tell(changed("feed"), changed("mail"), JobsListed(2))
    node.settle()
    node.tell(JobRemoved("feed"), JobsListed(1))

    assert not node.slot("feed").wanted
    assert node.lines.of("jobs.changed")[-1] == {"added": 0, "changed": 0, "removed": 1}


def test_the_deletion_of_a_row_that_nobody_knows_is_nothing(node: Node, ledger: Ledger) -> None:
    node.tell(JobRemoved("feed"), JobsListed(0))

    assert node.lines.of("jobs.changed") == []


def test_a_list_is_logged_by_its_counts(node: Node, ledger: Ledger) -> None:
    node.tell(changed("feed"), changed("mail"), JobsListed(2))
    node.tell(changed("mail", processes=3), changed("news"), JobsListed(3))

    assert node.lines.of("jobs.changed") == [
        {"added": 2, "changed": 0, "removed": 0},
        {"added": 1, "changed": 1, "removed": 0},
    ]


def test_a_row_that_is_as_it_was_changes_nothing(node: Node, ledger: Ledger) -> None:
    node.tell(changed("feed"), JobsListed(1))
    node.tell(changed("feed"), JobsListed(1))

    assert len(node.lines.of("jobs.changed")) == 1


def test_the_jobs_are_known_after_the_first_list(node: Node, ledger: Ledger) -> None:
    node.tell(changed("feed"))
    before = ledger.listed
    node.tell(JobsListed(1))

    assert (before, ledger.listed) == (False, True)


def test_what_a_new_ledgers_first_list_does_not_name_is_gone(node: Node, ledger: Ledger) -> None:
    node.tell(changed("feed"), changed("mail"), JobsListed(2))
    node.end_child(ledger.slot, code=1)
    node.settle()
    node.tell(changed("mail"), JobsListed(1))

    assert (node.slot("mail").wanted, node.slot("feed").wanted) == (True, False)


def test_later_lists_tell_only_what_has_changed(node: Node, ledger: Ledger) -> None:
    node.tell(changed("feed"), changed("mail"), JobsListed(2))
    node.tell(changed("mail", processes=2), JobsListed(2))

    assert names(node) == ["feed", "mail:0", "mail:1"]


def test_only_the_ledgers_own_child_may_send_its_messages(node: Node, ledger: Ledger) -> None:
    slot = node.add_job("feed")
    node.settle()
    for message in (JobRemoved("feed"), JobsListed(0), changed("mail"), PushFound(works=True), Drained(0)):
        node.child_in(slot).say(message)
    node.turn()

    assert names(node) == ["feed"]
    assert (slot.wanted, ledger.listed, ledger.push) == (True, False, None)


def test_a_new_ledger_gets_every_record_that_none_has_acknowledged(node: Node, ledger: Ledger) -> None:
    node.parts.records.add("run", "r-1", {"pid": 1})
    node.acknowledge()
    node.parts.records.add("run", "r-2", {"pid": 2})
    node.parts.records.add("run", "r-3", {"pid": 3})
    assert {record.key for record in node.records("run")} >= {"r-2", "r-3"}
    node.end_child(ledger.slot, code=1)
    node.settle()

    assert [record.key for record in node.records("run")] == ["r-2", "r-3"]


def test_a_new_ledger_is_told_how_every_slot_stands(node: Node, ledger: Ledger) -> None:
    node.add_job("feed")
    node.settle()
    node.parts.slot_set.write_rows()
    node.acknowledge()
    node.end_child(ledger.slot, code=1)
    node.settle()
    node.parts.slot_set.write_rows()

    assert "feed\n0" in [record.key for record in node.records("slot")]


def test_what_waits_for_the_database_and_what_it_has_refused_is_counted(node: Node, ledger: Ledger) -> None:
    node.tell(Waiting(17, 2))
    counted = (ledger.waiting, ledger.set_aside)
    node.end_child(ledger.slot, code=1)
    node.settle()

    assert (counted, (ledger.waiting, ledger.set_aside)) == ((17, 2), (0, 0))


def test_whether_the_database_wakes_the_ledger_is_known(node: Node, ledger: Ledger) -> None:
    node.tell(PushFound(works=True))

    assert ledger.push is True


def test_an_order_in_the_database_is_passed_on(node: Node, ledger: Ledger) -> None:
    orders: list[OperationTaken] = []
    ledger.on_operation.add(orders.append)
    node.tell(OperationTaken("1", "restart", "feed", "ann"))

    assert orders == [OperationTaken("1", "restart", "feed", "ann")]


def test_what_it_says_of_its_database_is_noted(node: Node, ledger: Ledger) -> None:
    node.tell(DatabaseConnected("postgresql", "15"), DatabaseLost("connection refused"))

    assert (node.parts.database.reachable, node.parts.database.trouble) == (False, "connection refused")


def test_a_ledger_that_hangs_is_an_outage_of_the_database(node: Node, ledger: Ledger) -> None:
    limit = LEDGER_SPEC.heartbeat_timeout
    assert limit is not None
    node.ledger.page.beat()
    for _ in range(int(2 * limit) + 2):
        node.pass_time(0.5)

    assert node.parts.database.reachable is False
    assert "the ledger waits for more than 30 s" in node.parts.database.trouble


def test_without_a_ledger_nothing_is_known_of_the_database(node: Node, ledger: Ledger) -> None:
    node.tell(DatabaseConnected("postgresql", "15"))
    node.end_child(ledger.slot, code=1)
    node.bear()
    node.end_child(ledger.slot, code=1)

    assert ledger.slot.state is State.BACKOFF
    assert node.parts.database.reachable is None


def test_the_order_to_drain_comes_after_the_last_record(node: Node, ledger: Ledger) -> None:
    node.parts.records.add("run", "r-1", {"pid": 1})
    assert ledger.drain()

    assert [type(message).__name__ for message in node.ledger.hear()][-2:] == ["Record", "Drain"]


def test_the_order_to_drain_is_given_once(node: Node, ledger: Ledger) -> None:
    ledger.drain()
    ledger.flush()
    node.ledger.hear()

    assert node.ledger.messages.count(Drain()) == 1


def test_a_new_ledger_is_told_to_drain_too(node: Node, ledger: Ledger) -> None:
    ledger.drain()
    node.end_child(ledger.slot, code=1)
    node.settle()
    ledger.flush()

    assert Drain() in node.ledger.hear()


def test_without_a_ledger_there_is_none_to_drain(node: Node) -> None:
    node.parts.ledger.start()

    assert node.parts.ledger.drain() is False


def test_a_ledger_that_has_ended_is_not_written_to(node: Node, ledger: Ledger) -> None:
    node.end_child(ledger.slot, code=1)
    node.parts.records.add("run", "r-1", {"pid": 1})
    ledger.flush()

    assert node.parts.records.unacknowledged > 0
    assert not node.parts.records.all_sent

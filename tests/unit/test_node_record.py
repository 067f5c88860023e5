"""The records of the node and of runs: one when it begins, one for each ledger, one for each generation."""

import os

import pytest

from tests.harness.node import Node
from workerd.daemon.node.node_record import NodeRecord
from workerd.daemon.node.reloading import Reloading
from workerd.daemon.node.shutdown import Shutdown
from workerd.wire.messages import Refused, VersionSeen


@pytest.fixture
def node_record(node: Node) -> NodeRecord:
    return NodeRecord(node.parts, Reloading(node.parts, Shutdown(node.parts)))


def test_a_ledger_is_told_of_the_node_that_it_belongs_to(node: Node, node_record: NodeRecord) -> None:
    node.start()

    assert [record.row for record in node.records("node")] == [
        {
            "daemon_pid": os.getpid(),
            "workerd_version": "0",
            "started": node.parts.started,
            "generation": 1,
            "halt": "",
            "public_halt": "",
        }
    ]


def test_a_new_generation_is_told_of(node: Node, node_record: NodeRecord) -> None:
    node.start()
    node.acknowledge()
    node.parts.generations.reload(lambda _: None)
    node.forkserver.become_ready()
    node.turn()

    assert [record.row["generation"] for record in node.records("node") if record.row][-1] == 2


def test_a_run_is_told_of_when_it_begins_and_when_it_is_ready(node: Node, node_record: NodeRecord) -> None:
    node.start()
    slot = node.add_job("feed", id=7)
    node.bear()
    assert slot.child is not None
    begun = node.records("run")
    node.clock.advance(3)
    node.child_in(slot).become_ready()
    node.turn()
    [*_, ready] = node.records("run")

    assert [(record.key, record.row and record.row["ready"]) for record in begun] == [(slot.child.run, None)]
    assert ready.row is not None
    assert (ready.row["job_id"], ready.row["ready"]) == (7, node.clock.wall())


def test_all_rows_are_told_anew_where_an_earlier_life_has_left_larger_versions(
    node: Node, node_record: NodeRecord
) -> None:
    node.start()
    slot = node.add_job()
    node.settle()
    node.acknowledge()
    found = 2**60
    node.tell(VersionSeen(found, "database"))
    node.parts.slot_set.write_rows()  # as at the end of each turn

    assert slot.child is not None
    again = {
        (kind, record.key)
        for kind in ("node", "slot", "run")
        for record in node.records(kind)
        if record.version > found
    }
    assert again == {("node", "node"), ("slot", "feed\n0"), ("run", slot.child.run)}


def test_the_ledgers_own_runs_leave_no_history(node: Node, node_record: NodeRecord) -> None:
    node.start()

    assert node.records("run") == []


def test_what_is_wrong_with_a_row_is_told_to_each_ledger(node: Node, node_record: NodeRecord) -> None:
    node.start()
    slot = node.add_job()
    node.bear()
    node.child_in(slot).say(Refused("it does not import: no such printer", "it does not import"))
    node.turn()
    node.end_child(slot, code=78)
    node.acknowledge()
    node.end_child(node.parts.ledger.slot, code=1)
    node.settle()

    assert [(record.key, record.row) for record in node.records("problem")] == [
        ("feed", {"problem": "it does not import: no such printer", "public_problem": "it does not import"})
    ]

"""The rows of slots: written when something changes, and from time to time while children beat."""

import pytest

from tests.harness.node import Node
from workerd.daemon.slots.slot_set import PROGRESS_S
from workerd.wire.messages import Record
from workerd.wire.words import State


@pytest.fixture(autouse=True)
def started(node: Node) -> None:
    """A node that writes the rows that have changed at the end of each turn."""
    node.parts.loop.at_turn_end(node.parts.slot_set.write_rows)
    node.start()


def newest(node: Node, key: str) -> Record:
    return [record for record in node.records("slot") if record.key == key][-1]


def test_a_slots_row_says_where_it_stands(node: Node) -> None:
    slot = node.add_job("feed", id=7)
    node.settle()
    node.turn()
    row = newest(node, "feed\n0").row
    assert row is not None
    assert slot.child is not None

    assert (row["job_id"], row["state"], row["run"]) == (7, "RUNNING", slot.child.run)
    assert (row["pid"], row["generation"]) == (node.child_in(slot).pid, 1)


def test_a_change_of_labels_is_shown_and_leaves_the_child_alone(node: Node) -> None:
    slot = node.add_job("feed", labels="team=billing, tier=1")
    node.settle()
    child = slot.child
    [before] = [row for row in node.parts.slot_set.snapshot() if row["name"] == "feed"]
    node.add_job("feed", labels="team=shop")
    node.turn()
    [after] = [row for row in node.parts.slot_set.snapshot() if row["name"] == "feed"]

    assert (before["labels"], after["labels"]) == ({"team": "billing", "tier": "1"}, {"team": "shop"})
    assert slot.is_running
    assert slot.child is child
    assert node.signals_to(slot) == []


def test_a_change_of_labels_alone_runs_nothing_again(node: Node) -> None:
    slot = node.add_job("feed", restart="never")
    node.settle()
    node.end_child(slot, code=0)
    node.turn()
    assert slot.state is State.DONE

    node.add_job("feed", restart="never", labels="team=shop")
    node.turn()
    assert (slot.state, slot.spec.labels) == (State.DONE, "team=shop")

    node.add_job("feed", restart="never", labels="team=mail", max_age=60.0)
    assert (slot.state, slot.spec.labels) == (State.STARTING, "team=mail")


def test_a_slot_that_is_gone_has_no_row(node: Node) -> None:
    slot = node.add_job("feed", processes=2)
    node.settle()
    node.add_job("feed", processes=1)
    node.end_child(node.slot("feed", 1), code=0)
    node.turn()

    assert newest(node, "feed\n1").row is None
    assert slot.is_running


def test_the_last_beat_is_written_from_time_to_time_where_it_is_another_one(node: Node) -> None:
    slot = node.add_job()
    node.settle()
    node.parts.slot_set.note_progress()
    node.turn()
    node.child_in(slot).page.beat()
    before = len(node.records("slot"))
    node.pass_time(PROGRESS_S)
    beaten = len(node.records("slot")) - before
    node.pass_time(2 * PROGRESS_S)

    assert beaten == 1
    assert len(node.records("slot")) == before + beaten


def test_many_slots_write_their_beats_less_often(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workerd.daemon.slots.slot_set.PROGRESS_ROWS_A_SECOND", 0.25)
    node.add_job("feed", processes=2)
    node.settle()
    node.parts.slot_set.note_progress()
    node.turn()
    node.child_in(node.slot("feed")).page.beat()
    before = len(node.records("slot"))
    node.pass_time(7.5)
    early = len(node.records("slot")) - before
    node.pass_time(0.5)

    assert (early, len(node.records("slot")) - before) == (0, 1)


def test_a_running_slots_row_and_a_runs_row_say_how_long_it_was_silent(node: Node) -> None:
    slot = node.add_job("feed")
    node.settle()
    page = node.child_in(slot).page
    for seconds in (0.5, 7.0, 2.0):
        page.beat()
        node.pass_time(seconds)
    page.beat()
    node.parts.slot_set.note_progress()
    node.turn()
    running = newest(node, "feed\n0").row
    node.end_child(slot, code=0)
    node.turn()
    ended = [record.row for record in node.records("run") if record.row and record.row["ended"]]

    assert running is not None
    assert running["longest_silence"] == pytest.approx(7.0, abs=0.1)
    assert [row["longest_silence"] for row in ended] == [running["longest_silence"]]

"""What a new daemon hears of its scheduled slots: the rows, and over them what the journal has not written yet."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workerd.ledger.entry import Entry
from workerd.ledger.history import RunHistory
from workerd.ledger.node import NodeRow
from workerd.ledger.operations import OpenOrders
from workerd.ledger.records import RecordWriter
from workerd.ledger.registration import Claimant
from workerd.ledger.slot_memory import AT_ONCE, SlotMemory
from workerd.ledger.spool import Spool
from workerd.models import Node, Slot
from workerd.wire.epochs import COUNTS_A_LIFE
from workerd.wire.messages import Record
from workerd.wire.packets import decode, encode

pytestmark = pytest.mark.django_db

NOON = 1_772_452_800.0
RULE = "@daily · UTC · 0"
OLD, NEW = COUNTS_A_LIFE, 2 * COUNTS_A_LIFE


@pytest.fixture
def node() -> NodeRow:
    row = NodeRow("default", Claimant("shop", "host-1"))
    row.write_pulse()
    return row


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "journal", 10_000_000)
    yield spool
    spool.close()


def add_slot(node: NodeRow, name: str = "report", index: int = 0, **values: Any) -> Slot:
    remembered = {"due_rule": RULE, "settled_until": NOON, "due": None, "version": OLD, "job_id": 7, **values}
    return Slot.objects.create(node_id=node.pk, job_name=name, index=index, name=name, state="STOPPED", **remembered)


def journalled(spool: Spool, row: dict[str, Any] | None, version: int, name: str = "report") -> None:
    spool.append([Record(version, "slot", f"{name}\n0", version, row)])


def told(node: NodeRow, spool: Spool) -> list[list[Any]]:
    return [row for message in SlotMemory("default", node, spool).tell() for row in message.slots]


def test_the_rows_of_scheduled_slots_are_told(node: NodeRow, spool: Spool) -> None:
    add_slot(node, last_success=NOON - 60)
    add_slot(node, "busy", due=NOON + 60)
    add_slot(node, "always", settled_until=None, due_rule=None)

    assert sorted(told(node, spool), key=str) == [
        [7, 0, RULE, NOON, NOON + 60, None],
        [7, 0, RULE, NOON, None, NOON - 60],
    ]


def test_nothing_is_told_of_another_node_and_none_is_made(spool: Spool) -> None:
    other = NodeRow("default", Claimant("shop", "host-2"))
    add_slot(other)

    assert told(NodeRow("default", Claimant("shop", "host-1")), spool) == []
    assert Node.objects.count() == 1


def test_what_the_journal_has_counts_where_it_is_newer(node: NodeRow, spool: Spool) -> None:
    """After an outage the database may be a night behind."""
    add_slot(node)
    add_slot(node, "other", version=OLD + 9)
    row = {"job_id": 7, "index": 0, "due_rule": RULE, "settled_until": NOON + 3600, "due": NOON + 3600}
    journalled(spool, row, OLD + 1)
    journalled(spool, row | {"settled_until": 1.0}, OLD + 2, name="other")

    assert sorted(told(node, spool), key=str) == [
        [7, 0, RULE, NOON, None, None],
        [7, 0, RULE, NOON + 3600, NOON + 3600, None],
    ]


def test_a_slot_that_the_journal_says_is_gone_is_forgotten(node: NodeRow, spool: Spool) -> None:
    add_slot(node)
    journalled(spool, None, OLD + 1)

    assert told(node, spool) == []


def test_a_record_of_an_older_daemon_is_no_memory(node: NodeRow, spool: Spool) -> None:
    """It has no schedules, and its journal may be read by this ledger."""
    journalled(spool, {"job_id": 7, "index": 0, "state": "RUNNING"}, OLD)

    assert told(node, spool) == []


def test_many_slots_come_in_messages_that_fit(node: NodeRow, spool: Spool) -> None:
    for index in range(2 * AT_ONCE + 1):
        add_slot(node, index=index, due_rule=f"{'*/5,' * 49}0 * * * * · America/Argentina/ComodRivadavia · 86400")
    messages = list(SlotMemory("default", node, spool).tell())

    assert [len(message.slots) for message in messages] == [AT_ONCE, AT_ONCE, 1]
    assert [decode(encode(message)) for message in messages] == messages


# what the earlier daemon has left


def begin_life(node: NodeRow, version: int, started: float) -> None:
    row = {"daemon_pid": 1, "workerd_version": "0.1.0", "generation": 1, "started": started}
    orders = OpenOrders("default", node)
    writer = RecordWriter("default", node, lambda *_: None, lambda *_: None, orders)
    writer.apply([Entry(0, "node", "node", version, row)])


def names() -> set[str]:
    return set(Slot.objects.values_list("job_name", flat=True))


def test_a_scheduled_slot_of_an_earlier_daemon_stays_until_it_could_be_taken_over(
    node: NodeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("workerd.ledger.history.time.monotonic", lambda: now[0])
    begin_life(node, OLD, 1.0)
    add_slot(node)
    add_slot(node, "always", settled_until=None, due_rule=None)
    begin_life(node, NEW, 2.0)
    assert names() == {"report"}

    history = RunHistory("default", node, 86_400.0)
    history.tend(drained=True)
    assert names() == {"report"}, "the new daemon may not have told of it yet"
    add_slot(node, "taken-over", version=NEW + 5)
    now[0] += 86_400
    history.tend(drained=True)

    assert names() == {"taken-over"}

"""Samples into the rows of slots: the newest of each, in two queries, and no record undoes or is undone by them."""

import binascii
import time

import pytest
from django.db import DataError, OperationalError, connection
from django.test.utils import CaptureQueriesContext

from workerd.ledger import samples as samples_module
from workerd.ledger.entry import Entry
from workerd.ledger.node import NodeRow
from workerd.ledger.operations import OpenOrders
from workerd.ledger.records import RecordWriter
from workerd.ledger.registration import Claimant
from workerd.ledger.samples import MOST_ROWS, MOST_WAITING, SlotSamples
from workerd.models import Node, Slot
from workerd.wire.curves import slot_curve
from workerd.wire.messages import Sampled
from workerd.wire.recent_memory import read_recent
from workerd.wire.samples import FINE, LAYOUT, Sample, pack_all

pytestmark = pytest.mark.django_db
NOW = int(time.time())


@pytest.fixture
def node() -> Node:
    return Node.objects.create(name="shop", host="web1")


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> SlotSamples:
    monkeypatch.setattr(samples_module, "WRITE_S", 0.0)
    return SlotSamples("default")


def add_slots(node: Node, count: int = 1, name: str = "feed") -> None:
    rows = [
        Slot(node=node, job_name=name, index=index, name=name, state="RUNNING", memory=5.0) for index in range(count)
    ]
    Slot.objects.bulk_create(rows)


def sampled(memory: int, *places: tuple[str, int]) -> Sampled:
    """Return the message with a ring of three samples for each place."""
    packed = pack_all(Sample(NOW + 10 * place, memory + place, 1.0, None, 9, 1, place == 0) for place in range(3))
    text = binascii.b2a_base64(packed.ljust(FINE * LAYOUT.size * 2, b"\0"), newline=False).decode()
    return Sampled([[*place, text] for place in places or [("feed", 0)]])


def test_the_newest_of_each_slot_is_written_in_two_queries(node: Node, samples: SlotSamples) -> None:
    add_slots(node, 20)
    places = [("feed", index) for index in range(20)]
    samples.hear(sampled(100, *places))
    samples.hear(sampled(200, *places[:10]))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        samples.write(node.pk)

    statements = [
        query["sql"] for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))
    ]
    assert len(statements) == 2
    slots = list(Slot.objects.order_by("index"))
    curves = [slot_curve(slot.samples, NOW + 60) for slot in slots]
    assert [curve[0].memory for curve in curves] == [200] * 10 + [100] * 10
    assert curves[0][0] == Sample(NOW, 200, 1.0, None, 9, 1, is_first=True)
    recent = read_recent(slots[0].recent_memory)
    assert recent is not None
    assert recent.values[-1] == 202
    assert {slot.memory for slot in slots} == {5.0}, "no other column is touched"


def test_another_nodes_slot_of_that_name_is_left_alone(node: Node, samples: SlotSamples) -> None:
    other = Node.objects.create(name="shop", host="web2")
    add_slots(other)
    add_slots(node)
    samples.hear(sampled(100, ("feed", 0), ("gone", 3)))
    samples.write(node.pk)

    assert Slot.objects.get(node=other).samples is None
    assert Slot.objects.get(node=node).samples


def test_a_record_leaves_samples_alone(node: Node, samples: SlotSamples) -> None:
    claimant = Claimant("shop", "host-1")
    row = NodeRow("default", claimant)
    records = RecordWriter("default", row, lambda *_: None, lambda *_: None, OpenOrders("default", row))
    values = {"job_id": None, "job_name": "feed", "index": 0, "name": "feed", "state": "RUNNING", "memory": 3.0}
    records.apply([Entry(0, "slot", "feed\n0", 1, values)])
    samples.hear(sampled(100))
    samples.write(row.pk)
    records.apply([Entry(0, "slot", "feed\n0", 2, {**values, "memory": 4.0})])
    slot = Slot.objects.get()

    assert (slot.memory, slot.version) == (4.0, 2)
    assert slot.samples
    assert slot.recent_memory


def test_a_run_has_its_samples_by_its_record(node: Node) -> None:
    row = NodeRow("default", Claimant("shop", "host-1"))
    records = RecordWriter("default", row, lambda *_: None, lambda *_: None, OpenOrders("default", row))
    key = "7f8b7a52-7a1c-4a5b-9c50-1c8f0b1e9a10"
    values = {"job_id": None, "job_name": "feed", "slot": "feed", "index": 0, "born": 1.7e9}
    records.apply([Entry(0, "run", key, 1, values)])
    records.apply([Entry(0, "run", key, 2, {**values, "ended": 1.7e9 + 9, "outcome": "error", "samples": "text"})])

    from workerd.models import Run

    assert Run.objects.get().samples == "text"


def test_many_are_written_some_at_a_time(node: Node, samples: SlotSamples) -> None:
    add_slots(node, MOST_ROWS + 10)
    samples.hear(sampled(100, *[("feed", index) for index in range(MOST_ROWS + 10)]))
    samples.write(node.pk)
    first = Slot.objects.exclude(samples=None).count()
    samples.write(node.pk)

    assert first == MOST_ROWS
    assert Slot.objects.exclude(samples=None).count() == MOST_ROWS + 10


def test_what_waits_for_a_database_that_is_out_has_a_bound(samples: SlotSamples) -> None:
    samples.hear(sampled(100, *[("feed", index) for index in range(3 * MOST_WAITING)]))

    assert len(samples._waiting) == MOST_WAITING
    assert ("feed", 3 * MOST_WAITING - 1) in samples._waiting


def test_a_refusal_costs_these_samples_alone_and_is_said_once(
    node: Node, samples: SlotSamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(samples_module, "emit", lambda name, **fields: said.append(f"{name} {fields['reason']}"))
    add_slots(node)
    for _ in range(2):
        samples.hear(sampled(100))
        with monkeypatch.context() as patch:
            patch.setattr(samples, "_update", _refuse)
            samples.write(node.pk)
    samples.hear(sampled(100))
    samples.write(node.pk)

    assert said == ["samples.refused DataError: too long"]
    assert Slot.objects.get().samples


def _refuse(*_: object) -> None:
    raise DataError("too long")


def test_a_database_that_is_out_is_the_ledgers_affair(
    node: Node, samples: SlotSamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_update", _lose)
    samples.hear(sampled(100))

    with pytest.raises(OperationalError):
        samples.write(node.pk)


def _lose(*_: object) -> None:
    raise OperationalError("server closed the connection unexpectedly")


def test_nothing_to_write_asks_nothing(node: Node, samples: SlotSamples) -> None:
    with CaptureQueriesContext(connection) as queries:
        samples.write(node.pk)

    assert len(queries) == 0

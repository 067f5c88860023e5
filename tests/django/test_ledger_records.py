"""Records into rows: newest wins, replays are harmless, one refused record never blocks the others."""

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from workerd.ledger.entry import Entry
from workerd.ledger.node import NodeRow
from workerd.ledger.operations import OpenOrders
from workerd.ledger.problems import Problem
from workerd.ledger.records import RecordWriter
from workerd.ledger.refusals import SharedRefusalError, describe_refusal
from workerd.ledger.registration import Claimant
from workerd.models import Job, Node, Operation, Run, Slot

pytestmark = pytest.mark.django_db  # in one transaction, as no ledger is, except where the database refuses

BORN = 1_760_000_000.25


class Room:
    """The applying half of a ledger, with what it set aside and found out."""

    def __init__(self, host: str = "host-1") -> None:
        self.set_aside: list[tuple[str, str]] = []
        self.problems: dict[str, Problem] = {}
        self.node = NodeRow("default", Claimant("shop", host))
        self.records = RecordWriter(
            "default",
            self.node,
            lambda entry, reason: self.set_aside.append((entry.key, reason)),
            self.problems.__setitem__,
            OpenOrders("default", self.node),
        )

    def apply(self, *entries: Entry) -> list[str]:
        return [entry.key for entry in self.records.apply(entries)]


@pytest.fixture
def room() -> Room:
    return Room()


def run(key: uuid.UUID | str, version: int = 1, **values: Any) -> Entry:
    row = {
        "job_id": None, "job_name": "mail", "slot": "mail", "index": 0, "generation": 1, "pid": 42, "born": BORN,
        "ready": None, "ended": None, "outcome": "", "exit_code": None, "signal": "", "exception": "", "traceback": "",
        "stack": "", "note": "", "peak_memory": None, "last_lines": "",
    }  # fmt: skip
    return Entry(0, "run", str(key), version, {**row, **values})


def slot(job_name: str = "mail", index: int = 0, version: int = 1, **values: Any) -> Entry:
    row = {
        "job_id": None, "job_name": job_name, "index": index, "name": f"{job_name}:{index}", "state": "RUNNING",
        "reason": "", "since": BORN, "pid": 42, "restarts": 0, "next_start": None, "note": "", "memory": None,
        "last_beat": BORN, "run": str(uuid.uuid4()), "generation": None,
    }  # fmt: skip
    return Entry(0, "slot", f"{job_name}\n{index}", version, {**row, **values})


def gone(job_name: str, index: int, version: int) -> Entry:
    return Entry(0, "slot", f"{job_name}\n{index}", version, None)


def node(version: int, started: float, **values: Any) -> Entry:
    row = {"daemon_pid": 5, "workerd_version": "0.1.0", "generation": 1, "started": started, **values}
    return Entry(0, "node", "node", version, row)


def test_a_run_is_written_whole(room: Room) -> None:
    key = uuid.uuid4()
    written = room.apply(run(key, 3, ended=BORN + 2, outcome="crashed", signal="SIGSEGV", peak_memory=12.5))
    row = Run.objects.get()

    assert written == [str(key)]
    assert (row.pk, row.job_name, row.node_id, row.node_name) == (key, "mail", Node.objects.get().pk, "shop@host-1")
    assert row.born == datetime(2025, 10, 9, 8, 53, 20, 250_000, tzinfo=UTC)
    assert (row.outcome, row.signal, row.peak_memory, row.version) == ("crashed", "SIGSEGV", 12.5, 3)
    assert row.ended is not None
    assert row.ended - row.born == timedelta(seconds=2)


def test_a_newer_version_replaces_the_whole_row(room: Room) -> None:
    key = uuid.uuid4()
    room.apply(run(key, 1, note="first"))
    room.apply(run(key, 2, outcome="finished", exit_code=0))
    row = Run.objects.get()

    assert (row.note, row.outcome, row.exit_code, row.version) == ("", "finished", 0, 2)


@pytest.mark.parametrize("version", [2, 1])
def test_a_replay_or_an_older_version_is_harmless_and_done_with(room: Room, version: int) -> None:
    key = uuid.uuid4()
    room.apply(run(key, 2, note="newest"))

    assert room.apply(run(key, version, note="older")) == [str(key)]
    assert Run.objects.get().note == "newest"


NOTED, BEGAN, MISSED_ONE, MISSED_TWO = (
    {"pid": None, "outcome": ""},
    {"pid": 42, "outcome": "finished"},
    {"pid": None, "outcome": "missed", "missed": 1},
    {"pid": None, "outcome": "missed", "missed": 2},
)


@pytest.mark.parametrize(
    ("less", "more"),
    [(NOTED, MISSED_ONE), (NOTED, MISSED_TWO), (NOTED, BEGAN), (MISSED_ONE, MISSED_TWO), (MISSED_TWO, BEGAN)],
)
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("version", [1, 3])
def test_of_two_nodes_the_one_that_tells_more_of_a_moment_is_heard(
    room: Room, less: dict[str, Any], more: dict[str, Any], is_first: bool, version: int
) -> None:
    """Their versions say nothing of each other."""
    key, other = uuid.uuid4(), Room("host-2")
    told = [(room, run(key, 2, **less)), (other, run(key, version, **more))]
    for node, entry in told if is_first else reversed(told):
        assert node.apply(entry) == [str(key)]
    row = Run.objects.get()

    assert {name: getattr(row, name) for name in more} == more
    assert row.node_name == "shop@host-2"


@pytest.mark.parametrize(("first", "then"), [(BEGAN, BEGAN), (MISSED_ONE, MISSED_ONE), (NOTED, NOTED)])
def test_what_tells_no_more_of_another_nodes_moment_goes_by_its_version(
    room: Room, first: dict[str, Any], then: dict[str, Any]
) -> None:
    key = uuid.uuid4()
    room.apply(run(key, 2, **first))
    Run.objects.update(node_id=Node.objects.create(name="shop", host="host-2").pk)
    room.apply(run(key, 1, **then, reason="older"))
    older = Run.objects.get().reason
    room.apply(run(key, 3, **then, reason="newer"))

    assert (older, Run.objects.get().reason) == ("", "newer")


def test_a_run_of_a_job_that_was_deleted_is_kept(room: Room) -> None:
    room.apply(run(uuid.uuid4(), job_id=999_999))

    assert Run.objects.get().job_id == 999_999


def test_text_that_databases_refuse_is_cleaned_and_cut(room: Room) -> None:
    room.apply(run(uuid.uuid4(), note="nul\0 half\ud800", job_name="x" * 300, exception="☃\N{PILE OF POO}"))
    row = Run.objects.get()

    assert row.note == "nul\N{REPLACEMENT CHARACTER} half\N{REPLACEMENT CHARACTER}"
    assert row.job_name == "x" * 100
    assert row.exception == "☃\N{PILE OF POO}"


def test_numbers_that_are_none_are_null(room: Room) -> None:
    room.apply(run(uuid.uuid4(), peak_memory=float("nan"), ready=float("inf")))
    row = Run.objects.get()

    assert (row.peak_memory, row.ready) == (None, None)


REFUSED: list[dict[str, Any]] = [{"exit_code": 2**70}, {"pid": -1}, {"born": 1e20}, {"exit_code": "abc"}, {"pid": []}]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("values", REFUSED, ids=str)
def test_one_refused_record_is_set_aside_and_the_others_are_written(room: Room, values: dict[str, Any]) -> None:
    keys = [uuid.uuid4() for _ in range(9)]
    entries = [run(key, **(values if key == keys[4] else {})) for key in keys]
    written = room.apply(*entries)

    assert set(written) == {str(key) for key in keys} - {str(keys[4])}
    assert set(Run.objects.values_list("pk", flat=True)) == set(keys) - {keys[4]}
    assert [key for key, _ in room.set_aside] == [str(keys[4])]
    assert room.set_aside[0][1].partition(":")[0].endswith("Error")


@pytest.mark.parametrize(
    "entry",
    [
        run("no uuid"),
        Entry(0, "run", str(uuid.uuid4()), 1, None),
        Entry(0, "slot", "no index", 1, {}),
        Entry(0, "weather", "today", 1, {}),
    ],
    ids=["key", "deletion of a run", "place", "kind"],
)
def test_a_record_that_makes_no_sense_is_set_aside(room: Room, entry: Entry) -> None:
    assert room.apply(entry, slot()) == ["mail\n0"]
    assert [key for key, _ in room.set_aside] == [entry.key]


def test_values_that_no_column_holds_are_left_out(room: Room) -> None:
    room.apply(run(uuid.uuid4(), colour="red"))

    assert Run.objects.count() == 1


# tables that are not this version's


def command(note: str) -> Entry:
    """The record of an order that came by the command."""
    return Entry(0, "operation", str(uuid.uuid4()), 1, {"verb": "restart", "job_name": "mail", "result": note})


@pytest.fixture(params=["workerd_run", "workerd_slot", "workerd_operation"])
def migrated_ahead(request: pytest.FixtureRequest) -> Iterator[str]:
    """A newer release has added a column that takes no NULL, without a default; the table's name."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {request.param} ADD COLUMN colour varchar(9) NOT NULL DEFAULT 'red'")
        if connection.vendor != "sqlite":
            cursor.execute(f"ALTER TABLE {request.param} ALTER COLUMN colour DROP DEFAULT")
    yield request.param
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {request.param} DROP COLUMN colour")


@pytest.mark.django_db(transaction=True)
@pytest.mark.backends("postgres", "mysql")
def test_what_every_record_shares_is_waited_for_and_nothing_is_set_aside(room: Room, migrated_ahead: str) -> None:
    secret = "a secret"
    entries = {
        "workerd_run": [run(uuid.uuid4(), note=secret) for _ in range(5)],
        "workerd_slot": [slot(index=index, note=secret) for index in range(5)],
        "workerd_operation": [command(secret) for _ in range(5)],
    }
    with pytest.raises(SharedRefusalError) as caught:
        room.apply(*entries[migrated_ahead])

    assert room.set_aside == []
    assert [model.objects.count() for model in (Run, Slot, Operation)] == [0, 0, 0]
    assert "colour" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.django_db(transaction=True)
@pytest.mark.backends("postgres", "mysql")
def test_a_refused_record_is_still_set_aside_beside_a_rule_that_others_keep(room: Room) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE workerd_run ADD CONSTRAINT no_red CHECK (note <> 'red secret')")
    try:
        bad, good = uuid.uuid4(), uuid.uuid4()

        assert room.apply(run(bad, note="red secret"), run(good)) == [str(good)]
        assert [key for key, _ in room.set_aside] == [str(bad)]
        assert "no_red" in room.set_aside[0][1]
        assert "secret" not in room.set_aside[0][1]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE workerd_run DROP CONSTRAINT no_red")


@pytest.mark.django_db(transaction=True)
@pytest.mark.backends("mysql")
@pytest.mark.parametrize(("charset", "kept"), [("utf8mb3", "café \N{REPLACEMENT CHARACTER}"), ("latin1", "caf? ?")])
def test_what_a_table_cannot_store_is_dropped_and_the_outcome_kept(room: Room, charset: str, kept: str) -> None:
    """Any latin1 could hold the é; a text that it refuses is written in ASCII, which all can."""
    job = Job.objects.create(name="mail", target="shop.jobs.mail")
    with connection.cursor() as cursor:
        for table in ("workerd_run", "workerd_slot", "workerd_operation"):
            cursor.execute(f"ALTER TABLE {table} CONVERT TO CHARACTER SET {charset}")
    try:
        key, place = uuid.uuid4(), slot(note="café \N{PILE OF POO}")
        text = "café \N{PILE OF POO}"
        written = room.apply(run(key, outcome="error", exit_code=3, ended=BORN, note=text, last_lines=text), place)

        row = Run.objects.get(pk=key)
        assert (row.outcome, row.exit_code, row.note, row.last_lines) == ("error", 3, kept, kept)
        assert len(written) == 2
        assert Slot.objects.get().note == kept
        assert room.set_aside == []
    finally:
        job.delete()
        with connection.cursor() as cursor:
            for table in ("workerd_run", "workerd_slot", "workerd_operation"):
                cursor.execute(f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("invalid literal: 'secret'"), "ValueError"),
        (DataError(1366, "Incorrect string value: 'secret' for column `a`.`b`.`note` at row 1"), "note"),
        (IntegrityError(1062, "Duplicate entry 'secret' for key 'workerd_slot_place'"), "workerd_slot_place"),
        (IntegrityError(1364, "Field 'colour' doesn't have a default value"), "'colour'"),
    ],
)
def test_a_reason_holds_nothing_of_the_records_texts(error: Exception, said: str) -> None:
    reason = describe_refusal(error)

    assert said in reason
    assert "secret" not in reason


# slots


def test_slots_are_one_row_a_place(room: Room) -> None:
    room.apply(slot("mail", 0, 1), slot("mail", 1, 2))
    room.apply(slot("mail", 1, 3, state="PARKED", reason="gave up"))

    assert list(Slot.objects.values_list("job_name", "index", "state", "reason", "version")) == [
        ("mail", 0, "RUNNING", "", 1),
        ("mail", 1, "PARKED", "gave up", 3),
    ]


def test_a_slot_that_is_no_more_is_deleted_unless_the_row_is_newer(room: Room) -> None:
    room.apply(slot("mail", 0, 1), slot("mail", 1, 9))
    room.apply(gone("mail", 0, 5), gone("mail", 1, 5), gone("feed", 0, 5))

    assert [row.index for row in Slot.objects.all()] == [1]


def test_another_nodes_slots_are_not_touched(room: Room) -> None:
    other = Node.objects.create(name="shop", host="host-2")
    Slot.objects.create(node=other, job_name="mail", index=0, name="mail", version=1)
    room.apply(slot("mail", 0, 5), node(6, BORN))
    room.apply(gone("mail", 0, 7))

    assert [row.node_id for row in Slot.objects.all()] == [other.pk]


# the node


def test_the_nodes_row_is_made_and_written_where_newer(room: Room) -> None:
    room.apply(node(5, BORN))
    room.apply(node(4, BORN, generation=9))
    row = Node.objects.get()

    assert (row.name, row.host, row.daemon_pid, row.generation, row.record_version) == ("shop", "host-1", 5, 1, 5)


def test_the_nodes_own_row_of_an_earlier_daemon_is_found_again(room: Room) -> None:
    earlier = Node.objects.create(name="shop", host="host-1")
    room.apply(node(5, BORN))

    assert Node.objects.get().pk == earlier.pk


def test_a_fresh_start_deletes_what_the_last_daemon_left_and_keeps_what_this_one_told(room: Room) -> None:
    room.apply(node(1, BORN), slot("old", 0, 2), slot("mail", 0, 3))
    room.apply(node(10, BORN + 60), slot("mail", 0, 12))

    assert [row.job_name for row in Slot.objects.all()] == ["mail"]


def test_a_new_generation_of_the_same_daemon_deletes_nothing(room: Room) -> None:
    room.apply(node(1, BORN), slot("mail", 0, 2))
    room.apply(node(10, BORN, generation=2))

    assert Slot.objects.count() == 1


def test_the_pulse_is_the_databases_clock(room: Room) -> None:
    room.node.write_pulse()
    row = Node.objects.annotate(now=Now()).get()

    assert row.pulse is not None
    assert timedelta(0) <= row.now - row.pulse < timedelta(seconds=5)


def test_a_node_row_deleted_under_us_is_made_again(room: Room) -> None:
    room.node.write_pulse()
    Node.objects.all().delete()
    room.node.write_pulse()

    assert Node.objects.get().pulse is not None


# problems


def test_what_the_daemon_found_out_is_noted(room: Room) -> None:
    room.apply(
        Entry(0, "problem", "mail", 1, {"problem": "does not import\0: X", "public_problem": "does not import\0"}),
        Entry(0, "problem", "feed", 2, {"problem": ""}),
    )

    mark = "\N{REPLACEMENT CHARACTER}"
    assert room.problems == {
        "mail": Problem(f"does not import{mark}: X", f"does not import{mark}"),
        "feed": Problem(),
    }


# how much of it


def count_queries(room: Room, size: int) -> int:
    entries = [run(uuid.uuid4()) for _ in range(size)] + [slot("mail", index, size) for index in range(size)]
    with CaptureQueriesContext(connection) as queries:
        room.apply(*entries)
    return len(queries)


def test_queries_do_not_grow_with_the_number_of_children(room: Room) -> None:
    size = 25 if connection.vendor == "sqlite" else 100  # SQLite counts parameters
    count_queries(room, 1)

    assert count_queries(room, 2) == count_queries(room, size) <= 12


def test_a_full_batch_is_quick(room: Room) -> None:
    entries = [run(uuid.uuid4(), traceback="x" * 2000) for _ in range(200)]
    started = time.monotonic()
    room.apply(*entries)

    assert time.monotonic() - started < 30
    assert Run.objects.count() == 200

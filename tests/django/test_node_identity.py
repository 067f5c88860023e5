"""Whose a node's row is: found by the key, else by name and host, and one life's; every combination of the two rows."""

import json
import os
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from workerd.ledger import daemon_process
from workerd.ledger.daemon_process import has_surely_ended, own_daemon
from workerd.ledger.entry import Entry
from workerd.ledger.gone_nodes import GONE_AFTER
from workerd.ledger.history import RunHistory
from workerd.ledger.node import NodeRow
from workerd.ledger.operations import OpenOrders
from workerd.ledger.records import RecordWriter
from workerd.ledger.registration import Claimant
from workerd.ledger.seats.processes import start_of
from workerd.models import Node, Run, Slot
from workerd.models.clock import DatabaseNow
from workerd.wire.epochs import COUNTS_A_LIFE, first_of_life
from workerd.wire.machine import boot_id, pid_namespace
from workerd.wire.messages import Message, NodeDisplaced, NodeRegistered

pytestmark = pytest.mark.django_db

KEY, OTHER_KEY = uuid.uuid4(), uuid.uuid4()
LIFE, OTHER_LIFE = uuid.uuid4(), uuid.uuid4()
WEB, OLD = ("shop", "web1"), ("shop", "old1")
EPOCH = 1000 * COUNTS_A_LIFE


class Ledger(NodeRow):
    """A ledger's node row, and what it has told its daemon."""

    def __init__(self, life: uuid.UUID = LIFE, *, key: uuid.UUID = KEY, **who: Any) -> None:
        self.told: list[Message] = []
        super().__init__("default", Claimant(*WEB, key, life, **who), self.told.append)

    def write_record(self, version: int, started: float = 1.0) -> None:
        """Write the daemon's record of itself."""
        self.write([Entry(0, "node", "node", version, {"started": started})])


def make(names: tuple[str, str], key: uuid.UUID | None, life: uuid.UUID | None = None, **values: Any) -> Node:
    node = Node.objects.create(name=names[0], host=names[1], key=key, life=life, **values)
    Node.objects.filter(pk=node.pk, pulse=None).update(pulse=DatabaseNow())
    return node


NONE = None
TABLE = [
    # the row of our key, the row of our name and host; which one it becomes, what it is called
    ("no row yet", NONE, NONE, "new", WEB),
    ("a row of a release without keys", NONE, (WEB, None), "namesake", WEB),
    ("our row after STATE_DIR was emptied, or a machine of the same name", NONE, (WEB, OTHER_KEY), "namesake", WEB),
    ("our row", (WEB, KEY), (WEB, KEY), "ours", WEB),
    ("our host was renamed", (OLD, KEY), NONE, "ours", WEB),
    ("our host was renamed to a name that a keyless row has", (OLD, KEY), (WEB, None), "ours", OLD),
    ("our host was renamed to a name that another node has", (OLD, KEY), (WEB, OTHER_KEY), "ours", OLD),
]


@pytest.mark.parametrize(("ours", "namesake", "taken", "called"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE])
@pytest.mark.parametrize("life", [None, OTHER_LIFE], ids=["left", "lived in"])
def test_the_row_is_found_by_the_key_else_by_the_names(
    ours: Any, namesake: Any, taken: str, called: tuple[str, str], life: uuid.UUID | None
) -> None:
    rows = {"ours": make(ours[0], ours[1], life) if ours else None}
    rows["namesake"] = rows["ours"] if ours == namesake else make(namesake[0], namesake[1], life) if namesake else None
    before = Node.objects.count()
    row = Ledger()
    row.write_pulse()
    node = Node.objects.get(pk=row.pk)
    registered = row.told[0]

    assert isinstance(registered, NodeRegistered)
    assert (node.key, node.life, (node.name, node.host)) == (KEY, LIFE, called)
    assert node == rows.get(taken, node)
    assert Node.objects.count() == before + (taken == "new")
    assert bool(registered.displaced) == (life is not None and taken != "new")
    assert registered.shown_as == ("" if called == WEB else "shop@old1")


@pytest.mark.parametrize(
    ("ours", "namesake", "is_displaced"),
    [
        (NONE, NONE, False),
        (NONE, (WEB, OTHER_KEY, OTHER_LIFE), True),
        (NONE, (WEB, OTHER_KEY, None), False),
        (NONE, (WEB, None, None), False),
        ((WEB, KEY, LIFE), NONE, False),
        ((WEB, KEY, None), NONE, False),
        ((WEB, KEY, OTHER_LIFE), NONE, True),
        ((OLD, KEY, OTHER_LIFE), (WEB, OTHER_KEY, None), True),
        ((OLD, KEY, LIFE), (WEB, OTHER_KEY, OTHER_LIFE), False),
    ],
)
def test_a_life_that_had_the_row_takes_it_from_no_other(ours: Any, namesake: Any, is_displaced: bool) -> None:
    for row in filter(None, (ours, namesake)):
        make(*row)
    before = {node.pk: node.life for node in Node.objects.all()}
    row = Ledger(registered=True)
    row.write_pulse()

    assert row.is_displaced is is_displaced
    assert isinstance(row.told[0], NodeDisplaced if is_displaced else NodeRegistered)
    if is_displaced:
        assert before == {node.pk: node.life for node in Node.objects.all()}


def test_the_older_of_two_lives_finds_out_at_its_next_pulse() -> None:
    older, younger = Ledger(OTHER_LIFE), Ledger()
    older.write_pulse()
    younger.write_pulse()
    older.write_pulse()
    younger.write_pulse()
    again = Ledger(OTHER_LIFE, registered=True)
    again.write_pulse()

    assert [type(message) for message in older.told] == [NodeRegistered, NodeDisplaced]
    assert [type(message) for message in again.told] == [NodeDisplaced]
    assert [type(message) for message in younger.told] == [NodeRegistered]
    assert "WORKERD['NAME']" in older.told[1].to_dict()["reason"]
    assert "pulse 0." in younger.told[0].to_dict()["displaced"]
    assert Node.objects.get().life == LIFE


def test_a_row_that_was_deleted_is_made_again_and_all_is_written_anew() -> None:
    row = Ledger()
    row.write_pulse()
    Node.objects.all().delete()
    row.write_pulse()
    node = Node.objects.get()

    assert (node.key, node.life, node.pulse is not None) == (KEY, LIFE, True)
    assert [message.to_dict()["anew"] for message in row.told] == [False, True]


@pytest.mark.parametrize(
    ("silent_s", "same_boot", "earlier", "warns", "is_contested"),
    [
        (1, True, OTHER_LIFE, False, False),  # a restart: the lock of STATE_DIR says that the other has ended
        (1, False, OTHER_LIFE, True, True),  # a copy on another machine, unless this one booted within seconds
        (60, False, OTHER_LIFE, False, False),  # a reboot
        (1, False, None, True, True),  # another STATE_DIR
        (60, False, None, False, True),  # another STATE_DIR, silent: cut off from the database it may still run
    ],
)
def test_who_was_displaced_and_may_still_run(
    silent_s: int, same_boot: bool, earlier: uuid.UUID | None, warns: bool, is_contested: bool
) -> None:
    node = make(WEB, OTHER_KEY, OTHER_LIFE)
    Node.objects.update(pulse=DatabaseNow() - timedelta(seconds=silent_s))
    node.refresh_from_db()
    row = Ledger(earlier=earlier, same_boot=same_boot)
    row.write_pulse()
    contested = Node.objects.get().contested

    assert bool(row.told[0].to_dict()["displaced"]) == warns
    assert contested == (node.pulse if is_contested else None)


@pytest.mark.parametrize("silent", [timedelta(seconds=5), GONE_AFTER + timedelta(seconds=5)], ids=["fresh", "gone"])
def test_a_run_of_a_displaced_life_is_lost_only_when_that_is_long_gone(silent: timedelta) -> None:
    older = Ledger(OTHER_LIFE, version=EPOCH)
    older.write_pulse()
    older.write_record(EPOCH + 1)
    run = Run.objects.create(
        node_id=older.pk, job_name="mail", slot="mail", version=EPOCH + 2, born=timezone.now() - 2 * GONE_AFTER
    )
    Node.objects.update(pulse=DatabaseNow() - silent)
    pulse = Node.objects.get().pulse
    younger = Ledger()
    younger.write_pulse()
    younger.write_record(younger.reserved + 1, started=2.0)
    RunHistory("default", younger, 86400.0).tend(drained=True)
    run.refresh_from_db()

    assert run.outcome == ("lost" if silent > GONE_AFTER else "")
    assert run.ended == (pulse if silent > GONE_AFTER else None)


def test_the_end_of_a_displaced_lifes_run_is_still_written_and_nothing_else_of_it() -> None:
    older = Ledger(OTHER_LIFE, version=EPOCH)
    older.write_pulse()
    younger = Ledger()
    younger.write_pulse()
    older.write_pulse()
    writer = RecordWriter("default", older, lambda *_: None, lambda *_: None, OpenOrders("default", older))
    key, now = str(uuid.uuid4()), timezone.now().timestamp()
    end = {"job_name": "mail", "slot": "mail", "index": 0, "born": now - 9, "ended": now, "outcome": "stopped"}
    batch = [
        Entry(0, "run", key, EPOCH + 9, end),
        Entry(1, "node", "node", EPOCH + 9, {"daemon_pid": os.getppid() + 1}),
        Entry(2, "slot", "mail\n0", EPOCH + 9, {"name": "mail", "state": "STOPPED"}),
    ]

    assert sorted(writer.apply(batch)) == sorted(batch)
    assert Run.objects.get(pk=key).outcome == "stopped"
    assert Node.objects.get().daemon_pid == os.getppid()
    assert not Slot.objects.exists()


@pytest.mark.parametrize("wrote", [True, False], ids=["has written", "has only registered"])
def test_the_records_of_the_life_that_took_the_row_are_newer(wrote: bool) -> None:
    """Both were started within one minute, and the younger with an empty STATE_DIR: their epochs are the same."""
    older = Ledger(OTHER_LIFE, version=EPOCH)
    older.write_pulse()
    if wrote:
        older.write_record(EPOCH + 7)
    younger = Ledger(key=OTHER_KEY, version=EPOCH)
    younger.write_pulse()
    seen = younger.highest_version()

    assert first_of_life(seen) >= EPOCH, "the younger daemon passes over it, and begins a new epoch"
    assert Node.objects.get().record_version == younger.reserved == seen + 1
    older.write_record(EPOCH + 99)
    younger.write_record(younger.reserved + 1, started=2.0)
    assert Node.objects.get().record_version == younger.reserved + 1


def test_an_ordinary_start_needs_no_new_epoch() -> None:
    Ledger(OTHER_LIFE, version=EPOCH).write_pulse()
    later = Ledger(earlier=OTHER_LIFE, same_boot=True, version=2 * EPOCH)
    later.write_pulse()

    assert later.highest_version() < 2 * EPOCH == later.reserved


def test_a_life_that_ended_in_order_leaves_the_row() -> None:
    row = Ledger()
    row.write_pulse()
    row.leave()
    younger = Ledger(OTHER_LIFE)
    younger.write_pulse()
    row.leave()

    assert younger.told == [NodeRegistered()]
    assert Node.objects.get().life == OTHER_LIFE


def test_a_life_that_was_displaced_takes_nothing_back_at_its_next_start_while_the_other_lives() -> None:
    """A service manager starts the displaced daemon again."""
    older, younger = Ledger(OTHER_LIFE), Ledger()
    older.write_pulse()
    younger.write_pulse()
    older.write_pulse()
    by = uuid.UUID(older.told[-1].to_dict()["life"])
    soon, later = Ledger(uuid.uuid4(), yields_to=by), Ledger(uuid.uuid4(), yields_to=by)
    soon.write_pulse()
    Node.objects.update(pulse=DatabaseNow() - timedelta(minutes=1))
    later.write_pulse()

    assert by == LIFE
    assert [type(message) for message in soon.told] == [NodeDisplaced]
    assert [type(message) for message in later.told] == [NodeRegistered]


GONE = 2**22 + 1  # no pid is as large
PROCESS = {"life": str(OTHER_LIFE), "boot": boot_id(), "namespace": pid_namespace(), "pid": GONE, "started": 5}
BESIDE_US = os.getpid()


@pytest.mark.parametrize(
    ("told", "has_ended"),
    [
        ({}, True),
        ({"pid": BESIDE_US}, True),  # a later process of that pid
        ({"pid": BESIDE_US, "started": start_of(BESIDE_US)}, False),
        ({"life": str(LIFE)}, False),  # an older release has taken the row since then
        ({"boot": "another"}, False),
        ({"boot": ""}, False),
        ({"namespace": "pid:[1]"}, False),
        ({"pid": 0}, False),
        ({"pid": True}, False),
        ({"pid": str(GONE)}, False),
        ({"more": 1}, False),
    ],
)
def test_a_life_has_surely_ended_where_its_process_is_gone_beside_us(told: dict[str, Any], has_ended: bool) -> None:
    assert has_surely_ended(json.dumps(PROCESS | told), OTHER_LIFE) is has_ended


@pytest.mark.parametrize("text", [None, "", "{", "[]", "7", "[" * 100_000])
def test_a_row_that_tells_no_process_says_nothing(text: str | None) -> None:
    assert not has_surely_ended(text, OTHER_LIFE)


def test_a_process_that_proc_hides_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_process, "start_of", lambda _pid: None)

    assert not has_surely_ended(json.dumps(PROCESS | {"pid": BESIDE_US}), OTHER_LIFE)
    assert has_surely_ended(json.dumps(PROCESS), OTHER_LIFE)


def test_a_proc_of_another_pid_namespace_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_process, "_shows_own_pids", lambda: False)

    assert not has_surely_ended(json.dumps(PROCESS), OTHER_LIFE)
    assert own_daemon(LIFE) == ""


@pytest.mark.parametrize("has_ended", [True, False])
def test_the_runs_of_a_life_that_has_surely_ended_are_lost_at_once(has_ended: bool) -> None:
    older = Ledger(OTHER_LIFE, version=EPOCH)
    older.write_pulse()
    older.write_record(EPOCH + 1)
    run = Run.objects.create(node_id=older.pk, job_name="mail", slot="mail", version=EPOCH + 2, born=timezone.now())
    if has_ended:
        Node.objects.update(process=json.dumps(PROCESS))
    younger = Ledger(key=OTHER_KEY)
    younger.write_pulse()
    younger.write_record(younger.reserved + 1, started=2.0)
    RunHistory("default", younger, 86400.0).tend(drained=True)
    run.refresh_from_db()
    node = Node.objects.get()

    assert run.outcome == ("lost" if has_ended else "")
    assert (node.contested is None) is has_ended
    assert bool(younger.told[0].to_dict()["displaced"]) is not has_ended
    assert json.loads(node.process or "")["life"] == str(LIFE)

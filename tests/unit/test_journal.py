"""The journal and the spool round it: nothing put there is lost, nothing old overwrites what is newer."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.harness.fakes import FakeClock
from workerd.ledger.entry import Entry
from workerd.ledger.journal import Journal
from workerd.ledger.spool import Spool
from workerd.wire.messages import Record

LIMIT = 64 * 2**20


def record(key: str, version: int, row: dict[str, Any] | None = None, kind: str = "run") -> Record:
    return Record(version, kind, key, version, {"n": version} if row is None else row)


_opened: list[Journal | Spool] = []


@pytest.fixture(autouse=True)
def close_all() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.journal"


def open_journal(path: Path | None, limit: int = LIMIT) -> Journal:
    _opened.append(journal := Journal(path, limit))
    return journal


def open_spool(path: Path, clock: Callable[[], float] = time.monotonic) -> Spool:
    _opened.append(spool := Spool(path, LIMIT, clock))
    return spool


def held(journal: Journal | Spool) -> list[tuple[str, int]]:
    return [(entry.key, entry.version) for entry in journal.oldest()]


def test_a_newer_version_replaces_an_older_one_and_keeps_its_place(path: Path) -> None:
    journal = open_journal(path)
    journal.append([record("a", 1), record("b", 2), record("a", 3)])

    assert held(journal) == [("a", 3), ("b", 2)]


@pytest.mark.parametrize("version", [3, 2])
def test_an_older_or_equal_version_changes_nothing(path: Path, version: int) -> None:
    journal = open_journal(path)
    journal.append([record("a", 3, {"first": True})])
    journal.append([record("a", version, {"first": False})])

    assert journal.oldest()[0].row == {"first": True}


def test_the_same_key_of_another_kind_is_another_record(path: Path) -> None:
    journal = open_journal(path)
    journal.append([record("a", 1), record("a", 2, kind="slot")])

    assert len(journal) == 2


def test_records_stay_until_they_are_forgotten(path: Path) -> None:
    journal = open_journal(path)
    journal.append([record("a", 1), record("b", 2)])
    first = journal.oldest()[:1]
    journal.forget(first)

    assert held(journal) == [("b", 2)]


def test_forgetting_an_old_version_keeps_a_newer_one_that_came_meanwhile(path: Path) -> None:
    journal = open_journal(path)
    journal.append([record("a", 1)])
    written = journal.oldest()
    journal.append([record("a", 2)])
    journal.forget(written)

    assert held(journal) == [("a", 2)]


def test_the_records_of_one_kind_are_told_alone(path: Path) -> None:
    journal = open_journal(path)
    journal.append(
        [Record(1, "run", "a", 1, {}), Record(2, "slot", "b", 2, {"due": 1.5}), Record(3, "slot", "c", 3, None)]
    )

    assert journal.records_of("slot") == [Record(0, "slot", "b", 2, {"due": 1.5}), Record(0, "slot", "c", 3, None)]


def test_an_emptied_journal_is_false_and_gives_its_disk_back(path: Path) -> None:
    journal = open_journal(path)
    journal.append([record(str(n), n, {"text": "x" * 10_000}) for n in range(200)])
    while batch := journal.oldest():
        journal.forget(batch)
    journal.close()

    assert path.stat().st_size < 200_000


def test_a_batch_ends_before_it_is_too_large_for_a_servers_packet(path: Path) -> None:
    journal = open_journal(path)
    journal.append([record(str(n), n, {"text": "x" * 150_000}) for n in range(20)])

    assert 1 < len(journal.oldest()) < 8


def test_text_that_databases_refuse_survives_the_journal(path: Path) -> None:
    row = {"note": "nul \0 and half a pair \ud800 and \N{SNOWMAN}"}
    journal = open_journal(path)
    journal.append([record("a\ud800", 1, row)])

    assert journal.oldest()[0].row == row


def test_above_the_limit_the_oldest_runs_go_and_the_live_picture_stays(path: Path) -> None:
    journal = open_journal(path, 2**20)
    journal.append([record("slot", 1, kind="slot")])
    dropped = sum(journal.append([record(str(n), n, {"text": "x" * 10_000})]).runs for n in range(2, 302))
    kept = []
    while batch := journal.oldest():
        kept += [(entry.kind, entry.key) for entry in batch]
        journal.forget(batch)

    assert dropped > 150
    assert kept == [("slot", "slot"), *(("run", str(n)) for n in range(2 + dropped, 302))]


def test_a_record_set_aside_is_out_of_the_queue_and_kept_with_its_reason(path: Path) -> None:
    journal = open_journal(path)
    journal.append([record("a", 1), record("b", 2)])
    journal.set_aside(journal.oldest()[0], "DataError: too long")

    assert held(journal) == [("b", 2)]
    [refused] = journal.all_set_aside()
    assert (refused.kind, refused.key, refused.version, refused.reason) == ("run", "a", 1, "DataError: too long")
    assert refused.to_dict()["row"] == {"n": 1}


def test_a_kill_after_put_loses_nothing(path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from workerd.ledger.journal import Journal;"
        "from workerd.wire.messages import Record;"
        "journal = Journal(Path(sys.argv[1]), 2**20);"
        "journal.append([Record(n, 'run', str(n), n, {}) for n in range(50)]); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)

    assert done.returncode == -9
    assert held(open_journal(path)) == [(str(n), n) for n in range(50)]


class Table:
    """A database that writes where newer, as the ledger's does."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}

    def write(self, batch: list[Entry]) -> None:
        for entry in batch:
            if entry.version > self.rows.get(entry.key, -1):
                self.rows[entry.key] = entry.version


@given(st.lists(st.one_of(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), st.sampled_from(["apply", "crash"]))))
def test_whatever_is_repeated_or_cut_short_the_table_ends_with_the_newest_versions(steps: list[Any]) -> None:
    """A crash comes between the database's commit and the journal's; the daemon sends again what it likes."""
    journal, table, newest = open_journal(None), Table(), dict[str, int]()
    for step in [*steps, "apply"]:
        if isinstance(step, tuple):
            journal.append([record(*step)])
            newest[step[0]] = max(step[1], newest.get(step[0], -1))
        else:
            batch = journal.oldest()
            table.write(batch)
            if step == "apply":
                journal.forget(batch)

    assert table.rows == newest
    assert not journal


# the spool: what happens to the file is said and survived


def test_a_file_that_is_no_journal_is_moved_aside_and_said(path: Path) -> None:
    path.write_bytes(b"this is no SQLite file" * 500)
    with capture_logs() as logs:
        spool = open_spool(path)
    spool.append([record("a", 1)])

    assert spool.durable
    assert held(spool) == [("a", 1)]
    assert path.with_name("shop.journal.broken").exists()
    assert logs == [
        {
            "event": "journal.replaced",
            "log_level": "error",
            "path": str(path),
            "reason": "it was broken (file is not a database), and is now shop.journal.broken",
        }
    ]


def test_a_folder_that_cannot_be_means_memory_and_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "nowhere").touch()
    with capture_logs() as logs:
        spool = open_spool(tmp_path / "nowhere" / "shop.journal")
        spool.append([record("a", 1)])

    assert not spool.durable
    assert held(spool) == [("a", 1)]
    assert logs == [
        {
            "event": "journal.unwritable",
            "log_level": "error",
            "path": str(tmp_path / "nowhere" / "shop.journal"),
            "reason": "unable to open database file: Not a directory",
        }
    ]


def fill_disk(spool: Spool) -> None:
    sqlite = spool._journal._sqlite
    sqlite.execute(f"PRAGMA max_page_count = {sqlite.execute('PRAGMA page_count').fetchone()[0]}")


def test_a_full_disk_changes_over_to_memory_with_what_the_file_held(path: Path) -> None:
    spool = open_spool(path)
    spool.append([record("a", 1)])
    fill_disk(spool)
    with capture_logs() as logs:
        spool.append([record("b", 2, {"text": "x" * 100_000})])

    assert not spool.durable
    assert held(spool) == [("a", 1), ("b", 2)]
    assert [(log["event"], log["reason"]) for log in logs] == [("journal.unwritable", "database or disk is full")]


def test_when_the_disk_has_room_again_the_records_go_back_to_the_file_within_a_second(path: Path) -> None:
    clock = FakeClock()
    spool = open_spool(path, clock.monotonic)
    fill_disk(spool)
    spool.append([record("b", 2, {"text": "x" * 100_000})])
    clock.advance(0.9)
    spool.mend()
    too_early = spool.durable
    clock.advance(0.2)
    with capture_logs() as logs:
        spool.mend()

    assert not too_early
    assert spool.durable
    assert logs == [{"event": "journal.restored", "log_level": "info", "path": str(path), "records": 1}]
    assert held(open_journal(path)) == [("b", 2)]


def test_a_try_that_takes_long_is_made_less_often(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory that holds a long outage takes a while to be written, and all that is for nothing on a full disk."""
    clock = FakeClock()
    tries: list[float] = []
    spool = open_spool(path, clock.monotonic)
    fill_disk(spool)
    spool.append([record("b", 2, {"text": "x" * 100_000})])

    def fail_slowly(_spool: Spool, _path: Path) -> None:
        tries.append(clock.monotonic())
        clock.advance(2.0)

    monkeypatch.setattr(Spool, "_return_to_file", fail_slowly)
    began = clock.monotonic()
    while clock.monotonic() < began + 60.0:
        clock.advance(0.1)
        spool.mend()

    assert [round(at - began) for at in tries] == [1, 23, 45]


def test_a_backlog_of_many_mebibytes_survives_the_way_to_memory_and_back(path: Path) -> None:
    spool = open_spool(path)
    spool.append([record(str(n), n, {"text": "x" * 3000}) for n in range(1000)])
    fill_disk(spool)
    spool.append([record(str(n), n, {"text": "x" * 3000}) for n in range(1000, 2000)])
    in_memory, was_durable = len(spool), spool.durable
    spool.mend(at_once=True)

    assert (in_memory, was_durable) == (2000, False)
    assert (len(spool), spool.durable) == (2000, True)
    assert len(open_journal(path)) == 2000


def _remove_all(path: Path) -> None:
    for entry in path.parent.iterdir():
        entry.unlink()


def _remove_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def _remove_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def _replace_by_copy(path: Path) -> None:
    kept = path.parent.with_name("kept")
    shutil.copytree(path.parent, kept)
    shutil.rmtree(path.parent)
    kept.rename(path.parent)


def _replace_by_nonsense(path: Path) -> None:
    _remove_all(path)
    path.write_bytes(b"this is no SQLite file" * 500)


@pytest.mark.parametrize("by", ["mend", "put"])
@pytest.mark.parametrize(
    "take_away", [_remove_all, _remove_folder, _remove_log, _replace_by_copy, _replace_by_nonsense]
)
def test_a_journal_that_was_taken_away_is_begun_anew_with_all_it_held(
    tmp_path: Path, take_away: Callable[[Path], None], by: str
) -> None:
    """What is acknowledged must be found by a ledger that is born after a kill of this one."""
    path = tmp_path / "state" / "shop.journal"
    path.parent.mkdir()
    spool = open_spool(path)
    spool.append([record("a", 1, {"text": "x" * 2**21}), record("b", 2)])
    take_away(path)
    with capture_logs() as logs:
        if by == "mend":
            spool.mend()
        spool.append([record("c", 3)])

    assert spool.durable
    assert {log["event"] for log in logs} == {"journal.replaced"}
    assert [log["reason"] for log in logs][-1].startswith(("it was taken away", "it was broken"))
    found = open_journal(path)
    assert [record.key for record in found.all_records()] == ["a", "b", "c"]


def test_a_folder_in_the_journal_s_place_means_memory_until_it_is_gone(path: Path) -> None:
    spool = open_spool(path)
    spool.append([record("a", 1)])
    _remove_all(path)
    path.mkdir()
    spool.mend()
    away = spool.durable
    path.rmdir()
    spool.mend(at_once=True)

    assert (away, spool.durable) == (False, True)
    assert held(open_journal(path)) == [("a", 1)]


def test_a_journal_that_nobody_may_look_at_is_written_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError

    spool = open_spool(path)
    monkeypatch.setattr("workerd.ledger.journal.identify", refuse)
    with capture_logs() as logs:
        spool.append([record("a", 1)])
        spool.mend()

    assert (held(spool), spool.durable, logs) == ([("a", 1)], True, [])


def test_what_a_journal_held_that_was_taken_away_is_lost_with_the_ledger(path: Path) -> None:
    """The daemon has forgotten what the file had; it still has what came after that file was gone."""
    spool = Spool(path, LIMIT)
    spool.append([record("a", 1), record("b", 2)])
    _remove_all(path)
    path.mkdir()
    spool.mend()
    spool.append([record("b", 3), record("c", 4)])

    lost = said_at_the_end(spool)

    assert [(event["log_level"], event["records"]) for event in lost] == [("error", 1)]


def test_what_a_full_disk_still_holds_is_not_called_lost(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(path, LIMIT)
    spool.append([record("a", 1)])
    fill_disk(spool)
    spool.append([record("b", 2, {"text": "x" * 100_000})])
    monkeypatch.setattr(spool, "_return_to_file", lambda _path: None)

    assert not spool.durable
    assert said_at_the_end(spool) == []
    assert held(open_journal(path)) == [("a", 1)]


def test_what_the_database_refused_while_only_memory_could_hold_it_is_lost(path: Path) -> None:
    path.mkdir()
    spool = Spool(path, LIMIT)
    spool.append([record("a", 1)])
    [entry] = spool.oldest()
    spool.set_aside(entry, "too long")

    assert [lost["records"] for lost in said_at_the_end(spool)] == [1]


def said_at_the_end(spool: Spool) -> list[Any]:
    with capture_logs() as logs:
        spool.close()
    return [log for log in logs if log["event"] == "records.lost"]


def test_a_file_torn_up_while_it_is_in_use_is_survived(path: Path) -> None:
    spool = open_spool(path)
    spool.append([record(str(n), n, {"text": "x" * 3000}) for n in range(50)])
    spool._journal._sqlite.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    spool._journal._sqlite.execute("PRAGMA shrink_memory")
    with capture_logs() as logs:
        spool.append([record("new", 100)])

    assert ("new", 100) in held(spool)
    assert logs


def test_a_journal_at_its_limit_says_how_many_runs_it_has_dropped(path: Path) -> None:
    _opened.append(spool := Spool(path, 2**20))
    with capture_logs() as logs:
        for n in range(100):
            spool.append([record(str(n), n, {"text": "x" * 20_000})])

    assert {(log["event"], log["log_level"], log["limit_bytes"]) for log in logs} == {
        ("journal.trimmed", "warning", 2**20)
    }
    assert len(spool) == 100 - sum(log["runs"] for log in logs)


def test_what_was_set_aside_is_an_event(path: Path) -> None:
    spool = open_spool(path)
    spool.append([record("a", 1)])
    with capture_logs() as logs:
        spool.set_aside(spool.oldest()[0], "refused")

    assert logs == [{"event": "ledger.set_aside", "log_level": "error", "kind": "run", "key": "a", "reason": "refused"}]


def test_the_file_is_plain_sqlite_that_an_operator_can_read(path: Path) -> None:
    open_journal(path).append([record("a", 1)])
    with closing(sqlite3.connect(path)) as reader:
        kind, key, row = reader.execute("SELECT kind, key, row FROM record").fetchone()

    assert (kind, key, json.loads(row)) == ("run", "a", {"n": 1})

"""Records that the database has refused: what is kept of them, and the verb that lists, retries and discards them."""

import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import BaseCommand, CommandParser
from structlog.testing import capture_logs

from workerd.ledger import set_aside
from workerd.ledger.journal import Journal
from workerd.ledger.journal_connection import journal_path
from workerd.ledger.spool import Spool
from workerd.management.verbs import records
from workerd.wire.messages import Record

LIMIT = 64 * 2**20
DONE, FAILED, USAGE = 0, 1, 2


def record(key: str, version: int, kind: str = "run", **row: Any) -> Record:
    return Record(version, kind, key, version, row or {"n": version})


@pytest.fixture
def journal() -> Iterator[Journal]:
    with closing(Journal(None, LIMIT)) as journal:
        yield journal


def refuse(journal: Journal | Spool, *refused: Record, reason: str = "DataError: no") -> None:
    for one in refused:
        journal.append([one])
        [entry] = [entry for entry in journal.oldest() if entry.key == one.key]
        journal.set_aside(entry, reason)


def test_of_a_record_that_is_refused_again_the_newest_is_kept(journal: Journal) -> None:
    refuse(journal, record("a", 1), record("b", 2), record("a", 3))

    assert [(kept.key, kept.version) for kept in journal.all_set_aside()] == [("b", 2), ("a", 3)]


def test_no_more_than_so_many_are_kept(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "KEPT", 3)
    refuse(journal, *(record(str(number), number) for number in range(5)))

    assert [kept.key for kept in journal.all_set_aside()] == ["2", "3", "4"]
    assert journal.count_set_aside() == 3


def test_a_full_journal_drops_what_was_set_aside_before_any_run(tmp_path: Path) -> None:
    with closing(Spool(tmp_path / "shop.journal", 2**20)) as spool:
        refuse(spool, *(record(f"bad-{number}", number, text="x" * 20_000) for number in range(20)))
        with capture_logs() as logs:
            for number in range(40):
                spool.append([record(str(number), number, text="x" * 20_000)])

        assert spool.count_set_aside() < 20
        assert {log["event"] for log in logs} == {"journal.trimmed"}
        assert sum(log["set_aside"] for log in logs) == 20 - spool.count_set_aside()
        assert sum(log["runs"] for log in logs) == 0
        assert len(spool) == 40


def test_what_was_set_aside_survives_the_way_to_memory_and_back(tmp_path: Path) -> None:
    path = tmp_path / "state" / "shop.journal"
    path.parent.mkdir()
    with closing(Spool(path, LIMIT)) as spool:
        refuse(spool, record("a", 1))
        for file in path.parent.iterdir():
            file.unlink()
        path.mkdir()
        spool.mend()
        in_memory = (spool.durable, spool.count_set_aside())
        refuse(spool, record("b", 2))
        path.rmdir()
        spool.mend(at_once=True)

        assert in_memory == (False, 1)
        assert spool.durable
    with closing(Journal(path, LIMIT)) as journal:
        assert [(kept.key, kept.reason) for kept in journal.all_set_aside()] == [
            ("a", "DataError: no"),
            ("b", "DataError: no"),
        ]


# the verb


@pytest.fixture
def path(tmp_path: Path, settings: Any) -> Path:
    settings.WORKERD = {**settings.WORKERD, "STATE_DIR": tmp_path, "NAME": "shop"}
    return journal_path(tmp_path, "shop")


@pytest.fixture
def opened(path: Path) -> Iterator[Journal]:
    """The journal as a ledger has it open, with three records that were set aside."""
    with closing(Journal(path, LIMIT)) as journal:
        refuse(journal, record("run-1", 1), record("feed\n2", 2, kind="slot"), record("run-3", 3))
        yield journal


def call(*words: str) -> tuple[int, str, str]:
    """Return the verb's exit code and what it writes to both outputs."""
    parser = CommandParser()
    records.add_arguments(parser)
    out, err = io.StringIO(), io.StringIO()
    code = records.run(BaseCommand(stdout=out, stderr=err), vars(parser.parse_args(words)))
    return code, out.getvalue(), err.getvalue()


def call_json(*words: str) -> Any:
    code, out, err = call(*words, "--json")
    assert (code, err) == (DONE, "")
    return json.loads(out)


def test_each_record_is_listed_with_its_reason_and_what_to_do(opened: Journal) -> None:
    code, out, _ = call()

    assert code == DONE
    head, *lines = out.splitlines()
    assert head.split() == ["ID", "RECORD", "SINCE", "(UTC)", "REASON"]
    assert [line.split()[:3] for line in lines[:3]] == [
        ["1", "run", "run-1"],
        ["2", "slot", "feed:2"],
        ["3", "run", "run-3"],
    ]
    assert all(line.endswith("DataError: no") for line in lines[:3])
    assert "  manage.py workerd records --retry --all" in lines


def test_programs_get_the_rows_too(opened: Journal) -> None:
    [found] = call_json("2")["set_aside"]

    assert {**found, "at": ""} == {
        "id": 2,
        "kind": "slot",
        "key": "feed\n2",
        "version": 2,
        "row": {"n": 2},
        "reason": "DataError: no",
        "at": "",
    }


def test_a_record_that_is_retried_is_in_the_queue_of_the_ledger_that_has_the_journal_open(opened: Journal) -> None:
    assert not opened

    assert [found["key"] for found in call_json("--retry", "1", "3")["retried"]] == ["run-1", "run-3"]

    assert [(entry.key, entry.version, entry.row) for entry in opened.oldest()] == [
        ("run-1", 1, {"n": 1}),
        ("run-3", 3, {"n": 3}),
    ]
    assert [kept.key for kept in opened.all_set_aside()] == ["feed\n2"]


def test_a_retried_record_never_takes_the_place_of_a_newer_version(opened: Journal) -> None:
    opened.append([record("run-1", 7)])

    call_json("--retry", "--all")

    assert {entry.key: entry.version for entry in opened.oldest()} == {"run-1": 7, "feed\n2": 2, "run-3": 3}


def test_a_discarded_record_is_gone(opened: Journal) -> None:
    assert call("--discard", "2") == (DONE, "1 record is discarded.\n", "")
    assert call("--discard", "--all") == (DONE, "2 records are discarded.\n", "")

    assert (opened.all_set_aside(), opened.oldest()) == ([], [])


def test_one_unknown_number_changes_nothing(opened: Journal) -> None:
    sentence = "No record with the ID 8, 9 is set aside. “manage.py workerd records” lists them.\n"

    assert call("--retry", "1", "9", "8") == (FAILED, "", sentence)
    assert opened.count_set_aside() == 3


@pytest.mark.parametrize("words", [("--retry",), ("--discard",), ("--retry", "--all", "1"), ("--all", "1")])
def test_it_is_said_which_records_are_meant(opened: Journal, words: tuple[str, ...]) -> None:
    assert call(*words) == (USAGE, "", "Name the records by their ID, or say --all.\n")
    assert opened.count_set_aside() == 3


def test_without_a_journal_nothing_is_set_aside_and_none_is_made(path: Path) -> None:
    assert call() == (DONE, "No record is set aside.\n", "")
    assert call_json() == {"set_aside": []}
    assert not path.exists()


def test_a_journal_that_is_none_is_said(path: Path) -> None:
    path.write_bytes(b"this is no SQLite file" * 500)

    code, out, err = call()

    assert (code, out) == (FAILED, "")
    assert err.startswith(f"The journal {path} cannot be used (file is not a database): run the command as")


def test_without_a_state_dir_there_is_no_journal(path: Path, settings: Any) -> None:
    settings.WORKERD = {**settings.WORKERD, "STATE_DIR": None}

    assert call() == (FAILED, "", 'WORKERD["STATE_DIR"] is not set, so there is no journal to look into.\n')

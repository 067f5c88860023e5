"""List the records that the database has refused, have them tried again, or discard them."""

import json
import sqlite3
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.errors import WorkerdError
from workerd.ledger.journal_connection import existing_journal, journal_path, transaction
from workerd.ledger.set_aside import RefusedRecord, SetAside
from workerd.wire import exit_codes
from workerd.wire.visible import visible

MAX_REASON = 200
_DONE = {"list": "set_aside", "retry": "retried", "discard": "discarded"}
"""The key of the JSON answer."""


class RecordsError(WorkerdError):
    """The records that were set aside cannot be read or changed."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="the numbers of records, from the list")
    parser.add_argument("--all", action="store_true", help="every record that was set aside")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--retry", action="store_true", help="put the records back: the ledger tries them again")
    what.add_argument("--discard", action="store_true", help="delete the records for good")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object, with the rows")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """List the records, or do with them as asked; 1 where that fails."""
    ids, action = options["ids"], "retry" if options["retry"] else "discard" if options["discard"] else "list"
    if (action != "list" and bool(ids) == options["all"]) or (ids and options["all"]):
        command.stderr.write("Name the records by their ID, or say --all.")
        return exit_codes.USAGE
    try:
        records = _do(action, _path(), ids)
    except RecordsError as error:
        command.stderr.write(str(error))
        return exit_codes.FAILED
    if options["json"]:
        command.stdout.write(json.dumps({_DONE[action]: [record.to_dict() for record in records]}, indent=2))
    else:
        command.stdout.write(_tell(action, records))
    return exit_codes.DONE


def _path() -> Path:
    settings = get_settings()
    if settings.state_dir is None:
        raise RecordsError('WORKERD["STATE_DIR"] is not set, so there is no journal to look into.')
    return journal_path(settings.state_dir, settings.name)


def _do(action: str, path: Path, ids: Sequence[int]) -> list[RefusedRecord]:
    """Return the records of ``ids``, or all, as they were before ``action``. Raises RecordsError."""
    try:
        with existing_journal(path) as sqlite:
            set_aside = SetAside(sqlite)
            if action == "list":
                return _choose(set_aside.list(), ids)
            with transaction(sqlite):
                records = _choose(set_aside.list(), ids)
                change = set_aside.put_back if action == "retry" else set_aside.discard
                change([record.id for record in records])
            return records
    except FileNotFoundError:
        return _choose([], ids)  # no ledger has run here yet
    except PermissionError as error:
        message = f"You may not look into {path.parent}: run the command as the daemon's user, or as root."
        raise RecordsError(message) from error
    except sqlite3.Error as error:
        message = (
            f"The journal {path} cannot be used ({error}): run the command as the daemon's user, or as root; "
            "a journal that is broken is replaced when the daemon starts."
        )
        raise RecordsError(message) from error


def _choose(records: list[RefusedRecord], ids: Sequence[int]) -> list[RefusedRecord]:
    if unknown := set(ids) - {record.id for record in records}:
        numbers = ", ".join(str(number) for number in sorted(unknown))
        raise RecordsError(f"No record with the ID {numbers} is set aside. “manage.py workerd records” lists them.")
    return [record for record in records if not ids or record.id in ids]


def _tell(action: str, records: Sequence[RefusedRecord]) -> str:
    count = "1 record is" if len(records) == 1 else f"{len(records)} records are"
    if action == "retry":
        return f"{count} back in the journal: the ledger tries again within seconds."
    if action == "discard":
        return f"{count} discarded."
    return _table(records) if records else "No record is set aside."


def _table(records: Sequence[RefusedRecord]) -> str:
    rows = [("ID", "RECORD", "SINCE (UTC)", "REASON")]
    found = ((str(record.id), _name(record), record.at, _first_line(record.reason)) for record in records)
    rows += [(number, visible(name), at, visible(reason)) for number, name, at, reason in found]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    cells = ([cell.ljust(width) for cell, width in zip(row, widths, strict=False)] for row in rows)
    lines = ["  ".join([*before, row[3]]) for before, row in zip(cells, rows, strict=True)]
    return "\n".join([*lines, "", _REMEDY])


_REMEDY = (
    "The database has refused these records. Correct what the reasons say, then have them tried again:\n"
    "  manage.py workerd records --retry --all\n"
    "or discard what is not needed:\n"
    "  manage.py workerd records --discard ID…"
)


def _name(record: RefusedRecord) -> str:
    return f"{record.kind} {record.key}".replace("\n", ":")  # the key of a slot is its job and its index


def _first_line(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= MAX_REASON else f"{line[:MAX_REASON]}…"

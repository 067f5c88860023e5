"""Bring the job rows in step with the definitions of the code; edits of the admin are kept."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error

from workerd.conf import get_settings
from workerd.definitions.declared import Declared, read_declared, source_name
from workerd.management.reachable import describe_error
from workerd.sync.choices import Choices
from workerd.sync.syncing import sync
from workerd.sync.writing import InvalidError, Request
from workerd.wire import exit_codes

_UNDEFINED = (
    'The code defines no job: WORKERD["DEFINITIONS"] names no file, and no @job has defaults. Nothing was written. '
    "To switch every row of this service off, name an empty file there."
)


def add_arguments(parser: ArgumentParser) -> None:
    add_write_arguments(parser)
    parser.add_argument(
        "--give", metavar="JOB[.FIELD]", action="append", default=[], help="accept the row's value; may be repeated"
    )
    parser.add_argument(
        "--adopt", metavar="JOB", action="append", default=[], help="have the code look after a row of the admin"
    )
    parser.add_argument("--prune", action="store_true", help="delete rows whose definition is gone, with no way back")


def add_write_arguments(parser: ArgumentParser) -> None:
    """Add the options that ``import`` has, too."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be written; exit code 1 where anything")
    parser.add_argument(
        "--take", metavar="JOB[.FIELD]", action="append", default=[], help="have the code win; may be repeated"
    )
    parser.add_argument("--create-disabled", action="store_true", help="make new rows switched off")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Write what the code has changed; 1 where somebody has to decide something, 2 where a definition is invalid."""
    declared = read_declared()
    if not declared.definitions and not declared.faults and not get_settings().definitions:
        command.stderr.write(_UNDEFINED)
        return exit_codes.USAGE
    return write_declared(command, options, declared, source_name())


def write_declared(command: BaseCommand, options: Mapping[str, Any], declared: Declared, source: str) -> int:
    """Write definitions as rows of ``source``, and print what was done."""
    for warning in declared.warnings:
        command.stderr.write(f"warning: {warning}")
    if declared.faults:
        return _refuse(command, [str(fault) for fault in declared.faults])
    try:
        report = sync(Request(declared.definitions, source, _choices(options)), is_dry_run=options["dry_run"])
    except InvalidError as error:
        return _refuse(command, error.faults)
    except Error as error:
        command.stderr.write(f"{describe_error(error)} Nothing was written.")
        return exit_codes.FAILED
    for line in report.lines():
        command.stdout.write(line)
    return exit_codes.FAILED if report.is_behind or report.is_open else exit_codes.DONE


def _refuse(command: BaseCommand, faults: list[str]) -> int:
    for fault in faults:
        command.stderr.write(f"error: {fault}")
    command.stderr.write("Nothing was written.")
    return exit_codes.USAGE


def _choices(options: Mapping[str, Any]) -> Choices:
    return Choices(
        take=frozenset(options["take"]),
        give=frozenset(options.get("give", ())),
        adopt=frozenset(options.get("adopt", ())),
        prune=options.get("prune", False),
        create_disabled=options["create_disabled"],
    )

"""Read what starts the project's programs today (supervisor, cron, …) as jobs; run and stop nothing."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error

from workerd.adopt.adopted import Result
from workerd.adopt.files import UnreadableFileError
from workerd.adopt.formats import FORMATS, UnknownFormatError, adopt
from workerd.management.adopted_summary import as_summary
from workerd.management.adopting import as_table, as_toml, find_context
from workerd.management.packages import PACKAGES, PackageError, adopt_package
from workerd.wire import exit_codes
from workerd.wire.visible import visible


def add_arguments(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "files", nargs="*", default=[], type=Path, metavar="FILE", help="a file that starts programs today"
    )
    what.add_argument(
        "--from", dest="package", choices=sorted(PACKAGES), default="", help="a package whose schedules run it today"
    )
    parser.add_argument("--format", choices=sorted(FORMATS), default="", help="the format, where a file does not tell")
    parser.add_argument("--write", action="store_true", help="make rows, disabled, instead of printing TOML")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Print the jobs as TOML or make rows, and say on stderr what was not adopted; 1 where a program was not."""
    try:
        result = _read(options)
    except (UnreadableFileError, UnknownFormatError, PackageError) as error:
        command.stderr.write(visible(str(error)))
        return exit_codes.USAGE
    if options["write"]:
        try:
            result = _write(command, result)
        except Error as error:
            command.stderr.write(f"The rows cannot be written, and none was ({visible(str(error).strip())}).")
            return exit_codes.FAILED
    elif result.adopted:
        command.stdout.write(as_toml(result.adopted))
    for note in result.notes:
        command.stderr.write(visible(note))
    if result.refused:
        command.stderr.write(as_table(result.refused))
    for line in as_summary(result):
        command.stderr.write(visible(line))
    return exit_codes.FAILED if result.refused else exit_codes.DONE


def _read(options: dict[str, Any]) -> Result:
    context = find_context(options["files"])
    if options["package"]:
        return adopt_package(options["package"], context)
    return adopt(options["files"], context, options["format"])


def _write(command: BaseCommand, result: Result) -> Result:
    """Make the rows, and return the result with those that could not be made."""
    from workerd.management.adopted_rows import write_rows  # printing alone needs no models

    written = write_rows(result.adopted)
    for job in written.adopted:
        command.stdout.write(f"{job.name}: made, disabled.")
    if written.adopted:
        command.stdout.write("Try each with “manage.py workerd once JOB”, stop the old program, then enable the row.")
    return Result(written.adopted, [*result.refused, *written.refused], result.notes)

"""Print job rows as definitions in TOML, ready for a file of WORKERD["DEFINITIONS"]."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error

from workerd.conf import get_settings
from workerd.definitions.toml_text import to_toml
from workerd.management.reachable import describe_error
from workerd.models import Job
from workerd.sync.export import export
from workerd.sync.rows import row_of
from workerd.wire import exit_codes

from .once import describe_unknown


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="the names of jobs; without one, all")
    parser.add_argument("--from-admin-only", action="store_true", help="leave out rows that come from code")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Print a table for each row; 1 where a job is not known."""
    try:
        rows = {job.name: row_of(job) for job in Job.objects.using(get_settings().database).order_by("name")}
    except Error as error:
        command.stderr.write(describe_error(error))
        return exit_codes.FAILED
    if unknown := [name for name in options["jobs"] if name not in rows]:
        for name in unknown:
            command.stderr.write(describe_unknown(name, list(rows)))
        return exit_codes.FAILED
    chosen = [row for row in rows.values() if not options["jobs"] or row.name in options["jobs"]]
    exported = [export(row) for row in chosen if not (options["from_admin_only"] and row.source)]
    comments = {found.definition.name: found.left_out for found in exported}
    command.stdout.write(to_toml([found.definition for found in exported], comments), ending="")
    for found in exported:
        for line in found.left_out:
            command.stderr.write(f"{found.definition.name}: {line}")
    return exit_codes.DONE

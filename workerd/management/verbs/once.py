"""Run one job in the foreground, without daemon or fork; Ctrl-C stops it gracefully."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd import forksafe
from workerd.conf import get_settings
from workerd.models import Job
from workerd.wire import exit_codes


def add_arguments(parser: ArgumentParser) -> None:
    """Take the job's name."""
    parser.add_argument("job", metavar="JOB", help="the name of a job's row, enabled or not")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Run it as its child would, and return that exit code."""
    from workerd.child.once import run_once  # what a child needs; no other verb should pay for it

    database = get_settings().database
    job = Job.objects.using(database).filter(name=options["job"]).first()
    if job is None:
        names = ", ".join(Job.objects.using(database).order_by("name").values_list("name", flat=True)[:20])
        command.stderr.write(f"there is no job “{options['job']}”. There are: {names or 'none yet'}.")
        return exit_codes.FAILED
    try:
        return run_once(job.to_spec())
    finally:
        forksafe.close_connections()

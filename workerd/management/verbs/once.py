"""Run one job in the foreground, without the daemon and without a fork; Ctrl-C stops it gracefully."""

import difflib
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd import forksafe
from workerd.conf import get_settings
from workerd.definitions.declared import read_declared
from workerd.models import Job
from workerd.wire import exit_codes


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="the name of a job's row, enabled or not")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Run the job as a child of the daemon would, and return its exit code."""
    from workerd.child.once import run_once  # a child needs it; no other verb should pay for it

    jobs = Job.objects.using(get_settings().database)
    job = jobs.filter(name=options["job"]).first()
    if job is None:
        names = list(jobs.values_list("name", flat=True))
        is_defined = options["job"] in read_declared().definitions
        describe = describe_unsynced if is_defined else describe_unknown
        command.stderr.write(describe(options["job"], names))
        return exit_codes.FAILED
    try:
        return run_once(job.to_spec())
    finally:
        forksafe.close_connections()


def describe_unsynced(name: str, _names: list[str]) -> str:
    """Return a sentence for a job that the code defines, and that has no row yet."""
    return (
        f"The code defines the job “{name}”, but it has no row yet: “manage.py workerd sync” makes one, and "
        f"“sync --create-disabled” one that is switched off, which “once” runs all the same."
    )


def describe_unknown(name: str, names: list[str]) -> str:
    """Return a sentence for a name that no row has."""
    likely = difflib.get_close_matches(name, names, n=1)
    question = f" Did you mean “{likely[0]}”?" if likely else ""
    return f"There is no job “{name}”.{question} Jobs: {', '.join(sorted(names)[:20]) or 'none yet'}."

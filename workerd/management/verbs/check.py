"""Look for everything that would keep the daemon or a job from running; starts nothing."""

import json
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from django.core.checks import Warning as CheckWarning
from django.core.checks import run_checks
from django.core.management.base import BaseCommand
from django.db import DatabaseError

from workerd.conf import find_problems, get_settings
from workerd.durations import DurationError, format_duration, parse_duration
from workerd.wire import exit_codes

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from workerd.models import Job


STOP_MARGIN_S = 15.0
"""After the longest job: its stack and KILL, the ledger's last records, the forkserver."""


def add_arguments(parser: ArgumentParser) -> None:
    """Offer to compare the service manager's patience with the rows."""
    parser.add_argument(
        "--stop-within", metavar="TIME", help="the service manager kills what has not stopped after this, like 90s"
    )
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Print every problem of settings and system checks; 1 where one is an error."""
    problems: list[tuple[str, str]] = [(problem.level, str(problem)) for problem in find_problems(for_run=True)]
    ours = [message for message in run_checks() if (message.id or "").startswith("workerd.")]
    known = {text for _, text in problems}
    for message in ours:
        level = "warning" if message.level <= CheckWarning("").level else "error"
        text = f"{message.msg} {message.hint or ''}".strip()
        if text not in known:
            problems.append((level, text))
    if options["stop_within"] is not None:
        try:
            problems += _stop_problems(parse_duration(options["stop_within"]))
        except DurationError as error:
            command.stderr.write(str(error))
            return exit_codes.USAGE
    failed = any(level == "error" for level, _ in problems)
    if options["json"]:
        found = [{"level": level, "text": text} for level, text in problems]
        command.stdout.write(json.dumps({"ok": not failed, "problems": found}, indent=2))
    else:
        _tell(command, problems, failed=failed)
    return exit_codes.FAILED if failed else exit_codes.DONE


def _tell(command: BaseCommand, problems: list[tuple[str, str]], *, failed: bool) -> None:
    for level, text in problems:
        command.stdout.write(f"{level}: {text}")
    if not failed:
        command.stdout.write("workerd: ready to run." if not problems else "workerd: can run.")


def _stop_problems(stop_within_s: float) -> list[tuple[str, str]]:
    """Compare with the rows: the only part of ``check`` that asks the database."""
    try:
        longest = _rows().order_by("-stop_timeout").values_list("name", "stop_timeout").first()
    except DatabaseError as error:
        return [("error", f"The rows' stop_timeout could not be read: {error}")]
    if longest is None or longest[1] + STOP_MARGIN_S <= stop_within_s:
        return []
    name, needed = longest[0], format_duration(longest[1] + STOP_MARGIN_S)
    text = f"“{name}” may take {format_duration(longest[1])} to stop: the service manager has to wait {needed}."
    return [("error", f"{text} Raise TimeoutStopSec=, stopwaitsecs or stop_grace_period, or lower its stop_timeout.")]


def _rows() -> "QuerySet[Job]":
    from workerd.models import Job

    return Job.objects.using(get_settings().database).filter(enabled=True)

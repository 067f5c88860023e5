"""Look for everything that would keep the daemon or a job from running; starts nothing."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.checks import Warning as CheckWarning
from django.core.checks import run_checks
from django.core.management.base import BaseCommand

from workerd.checks import TAG
from workerd.conf import find_problems
from workerd.durations import DurationError, parse_duration
from workerd.forkserver.survey import find_left_open
from workerd.management.database_problems import Problem, find_database_problems
from workerd.management.machine_problems import find_machine_problems
from workerd.management.project_problems import find_project_problems
from workerd.wire import exit_codes


def add_arguments(parser: ArgumentParser) -> None:
    """Offer to compare the service manager's patience with the rows."""
    parser.add_argument(
        "--stop-within", metavar="TIME", help="the service manager kills what has not stopped after this, like 90s"
    )
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Print every problem of settings, machine, project and database; return 1 where one is an error."""
    try:
        stop_within_s = None if options["stop_within"] is None else parse_duration(options["stop_within"])
    except DurationError as error:
        command.stderr.write(str(error))
        return exit_codes.USAGE
    problems = [*_settings_problems(), *_machine_problems(), *_project_problems()]
    problems += find_database_problems(stop_within_s)
    failed = any(level == "error" for level, _ in problems)
    if options["json"]:
        found = [{"level": level, "text": text} for level, text in problems]
        command.stdout.write(json.dumps({"ok": not failed, "problems": found}, indent=2))
    else:
        _tell(command, problems, failed=failed)
    return exit_codes.FAILED if failed else exit_codes.DONE


def _tell(command: BaseCommand, problems: list[Problem], *, failed: bool) -> None:
    for level, text in problems:
        command.stdout.write(f"{level}: {text}")
    if not failed:
        command.stdout.write("workerd: ready to run." if not problems else "workerd: can run.")


def _machine_problems() -> Iterator[Problem]:
    yield from (("error", text) for text in find_machine_problems())


def _project_problems() -> Iterator[Problem]:
    yield from (("error", text) for text in find_project_problems())
    yield from (("warning", text) for text in find_left_open())


def _settings_problems() -> list[Problem]:
    problems: list[Problem] = [(problem.level, str(problem)) for problem in find_problems(for_run=True)]
    known = {text for _, text in problems}
    for message in run_checks(tags=[TAG]):
        level = "warning" if message.level <= CheckWarning("").level else "error"
        text = f"{message.msg} {message.hint or ''}".strip()
        if (message.id or "").startswith("workerd.") and text not in known:
            problems.append((level, text))
    return problems

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
from workerd.management.deadline import Hang, in_time
from workerd.management.definition_problems import find_definition_problems, load_declared
from workerd.management.machine_problems import find_machine_problems
from workerd.management.project_problems import find_project_problems
from workerd.wire import exit_codes


def add_arguments(parser: ArgumentParser) -> None:
    """Offer to judge what is deployed instead of where the daemon runs, and to compare a service manager's patience."""
    parser.add_argument(
        "--rows",
        action="store_true",
        help="for CI and a deploy: every row and definition, and what they need; not the daemon's machine",
    )
    parser.add_argument(
        "--stop-within", metavar="TIME", help="the service manager kills what has not stopped after this, like 90s"
    )
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Print every problem of settings, machine, project and database; return 1 where one is an error.

    With ``--rows`` the machine is left out, and the definitions are looked at, too.
    """
    try:
        stop_within_s = None if options["stop_within"] is None else parse_duration(options["stop_within"])
    except DurationError as error:
        command.stderr.write(str(error))
        return exit_codes.USAGE
    find = _find_row_problems if options["rows"] else _find_problems
    problems = list(find(stop_within_s))
    failed = any(level == "error" for level, _ in problems)
    if options["json"]:
        found = [{"level": level, "text": text} for level, text in problems]
        command.stdout.write(json.dumps({"ok": not failed, "problems": found}, indent=2))
    else:
        _tell(command, problems, "" if failed else _good(problems, rows=options["rows"]))
    return exit_codes.FAILED if failed else exit_codes.DONE


def _tell(command: BaseCommand, problems: list[Problem], good: str) -> None:
    """Print a line for each problem; ``good`` is the last one where none is an error."""
    for level, text in problems:
        command.stdout.write(f"{level}: {text}")
    if good:
        command.stdout.write(f"workerd: {good}.")


def _good(problems: list[Problem], *, rows: bool) -> str:
    if rows:
        return "every enabled row and every definition can run"
    return "can run" if problems else "ready to run"


def _find_problems(stop_within_s: float | None) -> Iterator[Problem]:
    """Yield every problem. Where a part of the project hangs, stop there: what comes after it may hang in it, too."""
    try:
        yield from _settings_problems(for_run=True)
        yield from _machine_problems()
        yield from _project_problems()
        yield from (("warning", text) for text in find_left_open())
        yield from find_database_problems(stop_within_s)
    except Hang as hang:
        yield _hangs(hang)


def _find_row_problems(stop_within_s: float | None) -> Iterator[Problem]:
    """Yield what keeps a row or a definition from running on any machine that has this code and this database."""
    try:
        yield from _settings_problems(for_run=False)
        yield from _project_problems()
        declared = load_declared()
        yield from find_definition_problems(declared)
        yield from find_database_problems(stop_within_s, declared)
    except Hang as hang:
        yield _hangs(hang)


def _hangs(hang: Hang) -> Problem:
    return "error", f"{hang} Nothing after it was looked at."


def _machine_problems() -> Iterator[Problem]:
    yield from (("error", text) for text in find_machine_problems())


def _project_problems() -> Iterator[Problem]:
    yield from (("error", text) for text in find_project_problems())


def _settings_problems(*, for_run: bool) -> list[Problem]:
    """Return every problem of the settings; ``for_run`` adds what only the daemon needs. Raises Hang."""
    with in_time("What the settings name"):
        return _problems_of_settings(for_run=for_run)


def _problems_of_settings(*, for_run: bool) -> list[Problem]:
    problems: list[Problem] = [(problem.level, str(problem)) for problem in find_problems(for_run=for_run)]
    known = {text for _, text in problems}
    for message in run_checks(tags=[TAG]):
        level = "warning" if message.level <= CheckWarning("").level else "error"
        text = f"{message.msg} {message.hint or ''}".strip()
        if (message.id or "").startswith("workerd.") and text not in known:
            problems.append((level, text))
    return problems

"""Send a test alert by every way that ALERTS names, from here; it needs no daemon."""

import os
import time
import uuid
from argparse import ArgumentParser
from collections.abc import Sequence
from socket import gethostname
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.management.fleet_status import needs_project
from workerd.wire import exit_codes
from workerd.wire.alerts import ALERT_KINDS

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.05


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--test", action="store_true", required=True, help="send one; there is nothing else to do yet")
    parser.add_argument("--way", type=int, metavar="N", help="by the entry with this place in ALERTS alone, from 1")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Say of each way whether the alert went; return FAILED where one did not, or there is none."""
    if needs_project(command, "alert"):
        return exit_codes.USAGE
    from workerd.notifier.ways.all_ways import find_ways

    settings, number = get_settings(), options["way"]
    entries = [entry for entry in settings.alerts if number in {None, entry.number}]
    if not entries:
        command.stderr.write(_nothing(number, len(settings.alerts)))
        return exit_codes.FAILED
    failed = False
    for entry in entries:
        for fault in entry.faults:
            failed = failed or not fault.is_warning
            command.stderr.write(f"Entry {entry.number} {fault.message}. {fault.remedy}")
    ways = [way for way in find_ways(tuple(entries)) if number is None or way.entry.number == number]
    for name, problem in _send(ways, f"{settings.name}@{gethostname()}"):
        failed = failed or bool(problem)
        command.stdout.write(f"{name}: {problem or 'sent'}")
    return exit_codes.FAILED if failed else exit_codes.DONE


def _nothing(number: int | None, count: int) -> str:
    if number is not None and count:
        return f'WORKERD["ALERTS"] has no entry {number}: it has {count}.'
    return (
        'Alerts go nowhere: WORKERD["ALERTS"] has no entry. Write a list, such as [{"mail": ["ops@example.org"]}]; '
        "without the key they are mailed to ADMINS, unless DEBUG is on or ADMINS is empty."
    )


def _send(ways: Sequence[Any], node: str) -> list[tuple[str, str]]:
    """Send by all ways at once; return the name of each, and what went wrong."""
    from workerd.notifier.alert import Alert
    from workerd.notifier.runner import Runner

    now = time.time()
    alert = Alert(
        id=str(uuid.uuid4()),
        state="raised",
        key=f"test {os.getpid()}",
        kind="test",
        severity=ALERT_KINDS["test"].severity,
        node=node,
        since=now,
        at=now,
        text="This is a test of the alerts. Nothing is wrong.",
        public="This is a test of the alerts. Nothing is wrong.",
    )
    runners = [(way, Runner[Alert, None](way.name, way.way.send, lambda: None)) for way in ways]
    for _, runner in runners:
        runner.start()
        runner.give(alert)
    told = []
    for way, runner in runners:
        while (done := runner.collect()) is None and (runner.busy_for or 0.0) < PATIENCE_S:
            time.sleep(LOOK_EVERY_S)
        problem = "" if done is not None and done.error is None else f"no answer within {PATIENCE_S:.0f} s"
        if done is not None and done.error is not None:
            problem = way.tell(done.error)
        told.append((way.name, problem))
    return told

"""Show the log as it is written, from the daemon or from standard input."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any

import structlog
from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.management.client import stream
from workerd.management.terminal import Terminal
from workerd.wire import exit_codes
from workerd.wire.console import format_event
from workerd.wire.visible import visible_json

LEVELS = ("debug", "info", "warning", "error", "critical")
DEFAULT_LINES = 20


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "source", nargs="?", choices=["-"], help="- reads standard input: journalctl -u workerd -o cat | …"
    )
    parser.add_argument("--job", help="only this job's lines")
    parser.add_argument("--level", choices=LEVELS, help="only lines of this level or above")
    parser.add_argument("--event", help="only this event, or a prefix like child.*")
    parser.add_argument("-n", type=int, metavar="N", help=f"begin with the last N lines ({DEFAULT_LINES})")
    parser.add_argument("--no-follow", action="store_true", help="end after what is there now")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Print the lines that pass the filters: formatted on a terminal, else as they are."""
    terminal = Terminal(command.stdout)
    console = structlog.dev.ConsoleRenderer(colors=True, sort_keys=False) if sys.stdout.isatty() else None
    try:
        for line in _filter(_source(options), options):
            shown = format_event(console, json.loads(line)) if console is not None else _as_json(line, terminal)
            terminal.write_rendered(shown)
            command.stdout.flush()
    except (KeyboardInterrupt, BrokenPipeError):
        pass  # the reader has seen enough
    return exit_codes.DONE


def _as_json(line: str, terminal: Terminal) -> str:
    """Return the line as it is, or with JSON's escapes where the stream's encoding lacks a character."""
    try:
        line.encode(getattr(terminal, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(json.loads(line), separators=(",", ":"))
    return visible_json(line)


def _source(options: dict[str, Any]) -> Iterator[str]:
    if options["source"] == "-":
        return (line.rstrip("\n") for line in sys.stdin)
    last = DEFAULT_LINES if options["n"] is None else options["n"]
    return stream(get_settings(), {"verb": "tail", "last": last, "follow": not options["no_follow"]})


def _filter(lines: Iterable[str], options: dict[str, Any]) -> Iterator[str]:
    """Yield the log lines that pass the filters; a line that is no JSON object is none of the log's."""
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and _passes(event, options):
            yield line


def _passes(event: dict[str, Any], options: dict[str, Any]) -> bool:
    name, wanted = str(event.get("event", "")), options["event"]
    level, floor = str(event.get("level", "")), options["level"]
    return (
        (not options["job"] or event.get("job") == options["job"])
        and (not wanted or name == wanted or (wanted.endswith("*") and name.startswith(wanted[:-1])))
        and (not floor or (level in LEVELS and LEVELS.index(level) >= LEVELS.index(floor)))
    )

"""Reads what a command said, plainly and under workerd, and says how the two differ."""

import re
import signal
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .observation import Line, steady

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LOGGED = re.compile(rf"({'|'.join(LEVELS)}) ([\w.\-]+): (.*)", re.DOTALL)
_SAID_LEVEL = re.compile(rf"\b({'|'.join(LEVELS)})\b", re.IGNORECASE)


def read_plain(text: str, stream: str, noise: Sequence[str]) -> list[Line]:
    """Read what went to ``stream``: the lines of the project's LOGGING by their format, all others as printed."""
    lines = []
    for line in _without_tracebacks(text.splitlines()):
        if logged := _LOGGED.fullmatch(line):
            lines.append(Line(steady(logged[3], noise), logged[1].lower(), logged[2], stream))
        elif line.strip():
            lines.append(Line(steady(line, noise), stream=stream))
    return lines


def read_events(events: Iterable[dict[str, Any]], noise: Sequence[str]) -> list[Line]:
    """Read the lines of the job from the daemon's log."""
    lines: list[Line] = []
    for event in events:
        if event["event"] == "child.output":
            lines += [
                Line(steady(line, noise), stream=event.get("stream", ""))
                for line in _without_tracebacks([event["line"]])
            ]
        elif "logger" in event and not str(event["logger"]).startswith("workerd"):
            parts = str(event["event"]).splitlines() + _without_tracebacks(str(event.get("exception", "")).splitlines())
            first, *rest = parts or [""]
            lines.append(Line(steady(first, noise), event["level"], event["logger"]))
            lines += [Line(steady(line, noise)) for line in rest if line.strip()]
        elif event["event"] == "job.failed":
            text = str(event.get("exception") or event.get("traceback") or "")
            lines += [Line(steady(line, noise), stream="stderr") for line in _without_tracebacks(text.splitlines())]
    return [line for line in lines if line.text]


def _without_tracebacks(lines: Sequence[str]) -> list[str]:
    """Leave out the frames: they name files of ours under workerd, and manage.py's otherwise."""
    return [line for line in lines if not line.startswith(("Traceback (most", "  File ", "    ", "  +", "  |"))]


def compare(plain: Sequence[Line], under: Sequence[Line], chance: Sequence[str]) -> list[str]:
    """Say how the lines under workerd differ from the plain ones: missing, more, with another level or stream."""
    plain = [line for line in plain if not _is_of(line, chance)]
    left = [line for line in under if not _is_of(line, chance)]
    problems = []
    for wanted in plain:
        found = next((line for line in left if _is_same(wanted, line)), None)
        found = found or next((line for line in left if _is_said(wanted, line)), None)
        if found is None:
            problems.append(f"missing: {_show(wanted)}")
            continue
        left.remove(found)
        if (level := _level(wanted)) and found.level != level:
            problems.append(f"level: {found.level or 'none'} instead of {level}: {wanted.text}")
        elif found.stream and found.stream != wanted.stream:
            problems.append(f"stream: {found.stream} instead of {wanted.stream}: {wanted.text}")
    problems += [f"more: {_show(line)}" for line in left]
    return [f"{problem} ({count} times)" if count > 1 else problem for problem, count in Counter(problems).items()]


def _is_same(plain: Line, under: Line) -> bool:
    return (plain.text, plain.logger, plain.level) == (under.text, under.logger, under.level)


def _is_said(plain: Line, under: Line) -> bool:
    """Whether a handler of the package's own may have written ``plain`` from the record that ``under`` shows."""
    if plain.logger:
        return plain.text == under.text or under.text.endswith(plain.text)
    return plain.text == under.text or bool(under.logger and under.text and plain.text.endswith(under.text))


def _level(plain: Line) -> str:
    """The level that a line of a package's own format names before its message, or that of LOGGING."""
    return plain.level


def _is_of(line: Line, patterns: Sequence[str]) -> bool:
    return any(re.search(pattern, line.text) for pattern in patterns)


def _show(line: Line) -> str:
    return " ".join(word for word in (line.level, line.logger, line.text) if word)


def exit_of(code: int) -> str:
    """Return how a process ended, from its return code as ``subprocess`` has it."""
    return str(code) if code >= 0 else signal.Signals(-code).name

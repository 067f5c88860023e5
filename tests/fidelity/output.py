"""Reads what a command said, plainly and under workerd, and says how the two differ."""

import re
import signal
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .observation import Line, steady

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LOGGED = re.compile(rf"({'|'.join(LEVELS)}) ([\w.\-]+): (.*)", re.DOTALL)
PRINTED = "printed"
"""Stands for the stream of a line whose stream is not told."""
COMMAND_ERROR = re.compile(r"^django\.core\.management\.base\.CommandError:?")


def read_plain(text: str, stream: str, noise: Sequence[str], unknown: str = "") -> list[Line]:
    """Read what went to ``stream``: the lines of the project's LOGGING by their format, all others as printed."""
    stream, lines = stream or unknown, []
    for line in _without_tracebacks(text.splitlines()):
        if logged := _LOGGED.fullmatch(line):
            lines.append(Line(steady(logged[3], noise), logged[1].lower(), logged[2], stream))
        else:
            lines.append(Line(steady(line, noise), stream=stream))
    return [line for line in lines if line.text]


def read_events(events: Iterable[dict[str, Any]], noise: Sequence[str]) -> list[Line]:
    """Read what the load and the job said from the daemon's log."""
    lines: list[Line] = []
    for event in events:
        if event["event"] == "child.output":
            lines += read_plain(event["line"], event.get("stream", ""), noise, PRINTED)
        elif event["event"] == "job.failed":
            last = _without_tracebacks(str(event["exception"]).splitlines())[-1:]
            lines += [Line(steady(COMMAND_ERROR.sub("CommandError:", line), noise)) for line in last]
        elif "logger" in event and not str(event["logger"]).startswith("workerd"):
            first, *rest = str(event["event"]).split("\n")
            lines.append(Line(steady(first, noise), event["level"], event["logger"]))
            rest += str(event.get("exception", "")).splitlines()
            lines += [Line(steady(line, noise)) for line in _without_tracebacks(rest)]
    return [line for line in lines if line.text]


def _without_tracebacks(lines: Sequence[str]) -> list[str]:
    """Leave out the frames: they name files of ours under workerd, and manage.py's otherwise."""
    return [line for line in lines if line.strip() and not line.startswith(("Traceback (most", "  File ", "    "))]


def compare(plain: Sequence[Line], under: Sequence[Line], chance: Sequence[str]) -> list[str]:
    """Say how the lines under workerd differ from the plain ones: missing, more, with another level or stream.

    A record that a handler of the package writes, and the project's once more, is said once under workerd.
    """
    left = [line for line in under if not _is_of(line, chance)]
    wanted = sorted((line for line in plain if not _is_of(line, chance)), key=lambda line: not line.logger)
    problems, records = [], {line.text for line in left if not line.stream}
    for line in wanted:
        found = next((other for other in left if _is_same(line, other)), None)
        found = found or next((other for other in left if not line.logger and _is_written_of(line, other)), None)
        if found is None:
            if line.logger or not any(line.text.endswith(text) for text in records):
                problems.append(f"missing: {_show(line)}")
            continue
        left.remove(found)
        if found.stream not in ("", PRINTED, line.stream):
            problems.append(f"stream: {found.stream} instead of {line.stream}: {line.text}")
    problems += [f"more: {_show(line)}" for line in left]
    return [f"{problem} ({count} times)" if count > 1 else problem for problem, count in Counter(problems).items()]


def _is_same(plain: Line, under: Line) -> bool:
    """Whether both are the same; a record may have the form of a handler that the command has added."""
    is_text = under.text.endswith(plain.text) if plain.logger else under.text == plain.text
    return is_text and (plain.logger, plain.level) == (under.logger, under.level)


def _is_written_of(plain: Line, under: Line) -> bool:
    """Whether a handler of the package's own may have written ``plain`` from the record that ``under`` shows."""
    return bool(under.logger and under.text and plain.text.endswith(under.text))


def _is_of(line: Line, patterns: Sequence[str]) -> bool:
    return any(re.search(pattern, line.text) for pattern in patterns)


def _show(line: Line) -> str:
    return " ".join(word for word in (line.level, line.logger, line.text) if word)


def exit_of(code: int) -> str:
    """Return how a process ended, from its return code as ``subprocess`` has it."""
    return str(code) if code >= 0 else signal.Signals(-code).name

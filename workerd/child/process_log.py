"""The streams and the logging of a process that the daemon watches: made in the forkserver, taken over by each child.

To make them touches so many objects that it would cost each child a MiB of memory of its own.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import structlog

from workerd.wire.marked_lines import LINE_BYTES

from .logs import Logger, install_logging
from .rendering import LineRenderer
from .stdio import Stdio


class _Made(NamedTuple):
    renderer: LineRenderer
    stdio: Stdio
    log: Logger
    in_place: tuple[object, ...]


_made: list[_Made] = []


def make_log(
    identity: Mapping[str, Any], mark: str, beat: Callable[[], None] | None = None, level: int | None = None
) -> Logger:
    """Replace the streams and configure logging; return the logger of workerd's own events.

    ``identity`` stands in each line, ``mark`` before it, and ``beat`` is called with each write. ``level`` is that of
    the root logger; None leaves it as the project has it. Raises OSError where the descriptor of a stream is closed.
    """
    _made.clear()
    renderer, stdio = LineRenderer(identity, LINE_BYTES), Stdio(mark, beat or _no_beat)
    stdio.replace_streams()
    log = install_logging(renderer, stdio, level)
    _made.append(_Made(renderer, stdio, log, _in_place()))
    return log


def take_log(identity: Mapping[str, Any], mark: str, beat: Callable[[], None], level: int | None = None) -> Logger:
    """Do the same with what the forkserver has made, where the project has not put its own in place since."""
    if not _made or any(now is not then for now, then in zip(_in_place(), _made[-1].in_place, strict=True)):
        return make_log(identity, mark, beat, level)
    made = _made[-1]
    made.renderer.identify(identity)
    made.stdio.take_over(mark, beat)
    return made.log


def _in_place() -> tuple[object, ...]:
    """Return what a hook of the project may replace at a fork."""
    handlers = logging._handlerList  # type: ignore[attr-defined]
    factory = structlog.get_config()["logger_factory"]
    return sys.stdout, sys.stderr, factory, logging.StreamHandler.emit, handlers[-1] if handlers else None


def _no_beat() -> None:
    pass

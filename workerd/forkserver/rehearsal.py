"""Tries in a fork what jobs name: an import there may raise, hang, or end its process, and this one goes on."""

import errno
import itertools
import json
import os
import select
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from workerd.child.descriptors import above_streams
from workerd.child.identity import take_identity
from workerd.child.output_pipe import OUTPUT
from workerd.child.surroundings import has_surroundings, take_surroundings
from workerd.command_lines import load_command
from workerd.conf import get_settings
from workerd.errors import WorkerdError
from workerd.forksafe import prepare_to_fork
from workerd.targets import resolve
from workerd.wire import exit_codes, prctl
from workerd.wire.spec import JobSpec

from .survey import find_running

PATIENCE_S = 30.0
"""A part that takes longer to load hangs."""
TAKEN = frozenset({errno.EADDRINUSE, errno.EAGAIN})
"""An import that raises these found an address or a lock taken, most likely by the process that runs the job now."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a job names, or may: what it is called in a sentence, and how it is loaded."""

    name: str
    load: Callable[[], object]
    alone: bool = False
    """Whether it needs a process of its own: what it takes there, such as a row's environment, is for no other job."""


class Found(NamedTuple):
    """The result of a trial: why the part does not load, or "", and whether this process may load it, too."""

    problem: str
    harmless: bool = False


def parts_of_settings() -> list[Part]:
    """Return the commands that rows may run. What TARGETS allows is loaded where a row names it, and not before."""
    return [_part("COMMANDS", name, load_command) for name in dict.fromkeys(get_settings().commands)]


def part_of_job(spec: JobSpec) -> Part:
    """Return what a row runs."""

    def load() -> None:
        take_identity(spec.for_slot(0), 0, "")
        take_surroundings(spec)
        resolve(spec)

    return Part(f"the job “{spec.name}”", load, alone=has_surroundings(spec))


def rehearse(parts: Iterable[Part]) -> dict[str, Found]:
    """Load each part in a fork, and say by name what came of it. Raises UnsafeForkError where this cannot fork."""
    found: dict[str, Found] = {}
    parts = list(parts)
    while left := [part for part in parts if part.name not in found]:
        together = list(itertools.takewhile(lambda part: not part.alone, left))
        _try_in_fork(together or left[:1], found)
    return found


def hold(parts: Iterable[Part], found: dict[str, Found]) -> None:
    """Load here what loads without a trace: a child need not, and a newer file on the disk means nothing to it."""
    for part in parts:
        if found[part.name].harmless:
            _try(part.load)


def _part(key: str, name: str, load: Callable[[str], object]) -> Part:
    return Part(f'WORKERD["{key}"] “{name}”', lambda: load(name))


def _try_in_fork(parts: Sequence[Part], found: dict[str, Found]) -> None:
    """Add what is found of ``parts``, until one of them ends or stops the process that loads it."""
    prepare_to_fork()
    parent = os.getpid()
    reader, writer = map(above_streams, os.pipe())
    pid = os.fork()
    if pid == 0:
        _play(parts, writer, parent)
    os.close(writer)
    with open(reader, "rb", buffering=0) as results:  # noqa: PTH123 - a pipe has no path
        problem = _listen(results, parts, found)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if (part := next((part for part in parts if part.name not in found), None)) is not None:
        number = os.waitstatus_to_exitcode(status)
        how = signal.Signals(-number).name if number < 0 else f"exit code {number}"
        found[part.name] = Found(problem or f"it ends the process that loads it ({how})")


def _listen(results: Any, parts: Sequence[Part], found: dict[str, Found]) -> str:
    """Take a line for each part, in order; return what is wrong with the next one, "" where its process has ended."""
    poller, text = select.poll(), b""
    poller.register(results, select.POLLIN)
    for part in parts:
        while b"\n" not in text:
            if not poller.poll(PATIENCE_S * 1000):
                return f"it is not loaded after {PATIENCE_S:g} s"
            if not (packet := results.read(65536)):
                return ""
            text += packet
        line, _, text = text.partition(b"\n")
        found[part.name] = Found(*json.loads(line))
    return ""


def _play(parts: Sequence[Part], writer: int, parent: int) -> NoReturn:
    """Load one part after the other, and write what comes of each; print nothing. Runs in the fork."""
    try:
        prctl.die_with_parent()
        if os.getppid() != parent:
            os._exit(exit_codes.FAILED)
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(null, stream)
        OUTPUT.take(null)
        before, player = set(find_running()), os.getpid()
        for part in parts:
            problem, is_certain = _try(part.load)
            if os.getpid() != player:
                os._exit(exit_codes.DONE)  # the part has forked this copy, whose results would count for other parts
            left = set(find_running())
            harmless = is_certain and not problem and left == before and not part.alone
            before = left
            os.write(writer, json.dumps([problem, harmless]).encode() + b"\n")
        os._exit(exit_codes.DONE)
    finally:
        os._exit(exit_codes.OWN_FAULT)


def _try(load: Callable[[], object]) -> tuple[str, bool]:
    """Return why it does not load, or "", and whether that is certain."""
    try:
        load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the project's code: whatever it raises is the reason
        cause = error.__cause__ or error
        if isinstance(cause, OSError) and cause.errno in TAKEN:
            return "", False
        return (str(error) if isinstance(error, WorkerdError) else f"{type(error).__name__}: {error}"), True
    return "", True

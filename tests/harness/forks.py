"""Children that are forked in either way of a birth, beside each other: what one does, the other has to do, too."""

import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from workerd.forkserver.sibling import SiblingFork

WAYS: dict[str, Callable[[], Callable[[], int]]] = {"os.fork": lambda: os.fork, "sibling": lambda: SiblingFork().fork}
"""The ways to fork, each made in the process that is to fork."""


class Life(NamedTuple):
    """What a child returned, what the process that forked it returned afterwards, and how the child ended."""

    child: Any
    forker: Any
    end: int
    """The exit code, or the signal's number below 0."""


def live(
    way: str,
    child: Callable[[], object],
    forker: Callable[[], object] = lambda: None,
    prepare: Callable[[], object] = lambda: None,
) -> Life:
    """Fork a process that calls ``prepare`` and then forks in this way; call ``child`` and ``forker`` in the two.

    What they return must be JSON. An exception in them, or of the fork, is returned as its text.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _play(writer, way, (prepare, child, forker))
    os.close(writer)
    with open(reader, encoding="utf-8") as lines:  # noqa: PTH123 - a pipe has no path
        said = dict(json.loads(line) for line in lines)
    os.waitpid(pid, 0)
    if "end" not in said:  # a sibling is this process's own child
        said["end"] = os.waitstatus_to_exitcode(os.waitpid(said["pid"], 0)[1])
    return Life(said.get("child"), said["forker"], said["end"])


def _play(writer: int, way: str, calls: tuple[Callable[[], object], ...]) -> NoReturn:
    def say(what: str, value: object) -> None:
        os.write(writer, json.dumps([what, value]).encode() + b"\n")

    prepare, child, forker = calls
    try:
        prepare()
        pid = WAYS[way]()()
        if pid == 0:
            say("child", _call(child))
            os._exit(0)
        say("pid", pid)
        if way != "sibling":
            say("end", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        say("forker", _call(forker))
    except OSError as error:
        say("forker", repr(error))
        say("end", 0)
    finally:
        os._exit(0)


def _call(call: Callable[[], object]) -> object:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - the test compares it
        return repr(error)

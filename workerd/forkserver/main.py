"""A forkserver's main loop: loads the jobs, tries whether a fork is possible, and forks until the channel closes."""

import errno
import os
import sys
import time
import traceback
from contextlib import suppress

import structlog

import workerd
from workerd import forksafe, registry, targets
from workerd.child.beats import watch_queries
from workerd.child.inherited import give_endings_back, keep_endings
from workerd.child.practice import practise
from workerd.child.process_log import make_log
from workerd.conf import get_settings, keep_settings
from workerd.title import show_title
from workerd.wire import WIRE_VERSION, exit_codes
from workerd.wire.events import emit
from workerd.wire.messages import Bear, BirthFailed, ForkserverReady, ForkserverRejected, Load, Message

from . import garbage
from .birth import BirthError, Newborn, bear
from .bootstrap import Assignment
from .holes import fill_holes
from .preparation import Preparation
from .rehearsal import hold, part_of_job, parts_of_settings, rehearse
from .sibling import SiblingError, SiblingFork
from .sibling_trial import try_siblings
from .survey import find_left_open, find_sessions

NAMED = 5
"""The most parts that do not load which a rejection names."""


def serve(assignment: Assignment) -> int:
    """Serve the daemon until it closes the channel; return the exit code."""
    started = time.monotonic()
    unsound: list[str] = []
    rejection = _load(assignment, unsound)
    if os.getpid() != assignment.pid:
        sys.stderr.write(
            f"Process {os.getpid()} ends: the project forked it while it was loaded. All processes of jobs come from "
            "the one that the daemon has started. Fork in a receiver of child_started.\n"
        )
        return exit_codes.FAILED
    if rejection is not None:
        assignment.channel.send(rejection)
        return exit_codes.FAILED
    _prepare_children(assignment.load)
    preparation = Preparation(_find_siblings())
    garbage.go_on()
    fill_holes()
    show_title(f"workerd: {assignment.load.log_name} forkserver {assignment.load.generation}", "forkserver")
    load_ms = round((time.monotonic() - started) * 1000, 1)
    jobs = sorted(registry.registered())[:500]
    assignment.channel.send(
        ForkserverReady(WIRE_VERSION, assignment.load.generation, workerd.__version__, load_ms, jobs, unsound[:500])
    )
    while (request := _next_request(assignment)) is not None:
        message, descriptors = request
        if isinstance(message, Bear):
            try:
                bear(assignment, Newborn(descriptors, message.spare), preparation)
            except (forksafe.UnsafeForkError, BirthError) as error:
                assignment.channel.send(BirthFailed(message.birth, str(error)))
            finally:
                # The child has copies. With these open, the daemon would see no end-of-file when the child ends.
                for descriptor in descriptors:
                    os.close(descriptor)
    give_endings_back()
    return exit_codes.DONE


def _prepare_children(load: Load) -> None:
    """Do once what each child would do in memory of its own."""
    practise()
    with suppress(OSError):  # the project has closed a stream: each child, which has its own, makes them itself
        # The streams and the logging a second time, as the project has configured its own meanwhile.
        make_log({"generation": load.generation}, load.mark, level=get_settings().log_level)
    watch_queries()
    keep_endings()


def _load(assignment: Assignment, unsound: list[str]) -> ForkserverRejected | None:
    """Import the project's jobs; return why this generation cannot run them, or None.

    Adds to ``unsound`` what the settings name and does not load.
    """
    try:
        registry.autodiscover()
        keep_settings()
        targets.warm_up()
        _say_what_is_left_open()
        if broken := _rehearse(assignment, unsound):
            return ForkserverRejected(broken)
        forksafe.prepare_to_fork()  # a trial: a generation that cannot fork must not replace one that can
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the project's code: whatever it raises is the reason
        return ForkserverRejected(_reason(error), traceback.format_exc()[-32_000:])
    return None


def _rehearse(assignment: Assignment, unsound: list[str]) -> str:
    """Try what jobs run, and keep in memory what loads; return what the generation to be replaced can, and this cannot.

    A process that the project forked while it was loaded tries nothing.
    """
    load = assignment.load
    if os.getpid() != assignment.pid:
        return ""
    named = parts_of_settings()
    parts = [*map(part_of_job, assignment.jobs), *named]
    found = rehearse(parts)
    hold(parts, found)
    unsound += [part.name for part in named if found[part.name].problem]
    if not load.replaces:
        return ""
    known = set(load.unsound)
    broken = [f"{name}: {part.problem}" for name, part in found.items() if part.problem and name not in known]
    more = f" And {len(broken) - NAMED} more." if len(broken) > NAMED else ""
    return " ".join(broken[:NAMED]) + more


def _find_siblings() -> SiblingFork | None:
    """Return the fork of siblings, None where each birth takes two forks; say why, unless one will do."""
    siblings, reason = None, ""
    try:
        siblings = try_siblings()
        reason = siblings.obstacle()
    except (SiblingError, OSError) as error:
        reason = str(error)
    if reason:
        emit(structlog.get_logger("workerd.forkserver"), "birth.two_forks", reason=reason)
    return siblings


def _say_what_is_left_open() -> None:
    left, found = find_left_open(), [*find_sessions()]
    if left or found:  # sessions alone need no remedy
        level = "warning" if left else "info"
        emit(structlog.get_logger("workerd.forkserver"), "project.left_open", level=level, found=[*left, *found])


def _reason(error: BaseException) -> str:
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        reason += (
            " The present generation may listen there: have the project listen in a receiver of child_started, "
            "not while it is loaded."
        )
    return reason


def _next_request(assignment: Assignment) -> tuple[Message, list[int]] | None:
    try:
        message, descriptors = assignment.channel.receive()
    except ConnectionError:  # the daemon is gone
        return None
    return None if message is None else (message, descriptors)

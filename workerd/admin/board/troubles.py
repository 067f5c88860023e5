"""The troubles of the fleet, worst first (``Trouble``): one for all slots of a job that are in one state."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workerd.admin.badges import OUTCOME_WORDS, STATE_TONES, STATE_WORDS
from workerd.admin.resting import is_resting
from workerd.admin.words import halt_of, problem_of, readable
from workerd.fleet.nodes import is_silent
from workerd.models import Job, Node
from workerd.models.clock import as_utc
from workerd.wire.words import LAST_RUN, State

from .hours import FRESH
from .rows import Fleet, JobRows, SlotRow, fitting

TONES = ("bad", "warn", "wait", "hold")
WRONG = frozenset({"bad", "warn"})
"""Somebody should look at these; of the others the board only says that they are so."""
NOT_RUNNING = (State.PARKED, State.BACKOFF, State.WAITING, State.STOPPED)
OFTEN = 3
"""The failures within the latest hours from which on they are trouble, although no slot is at this moment."""
SOON = "a node that may run it takes it within seconds"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong: what, of which job or node, in which slots, on which nodes, since when, and why."""

    tone: str
    words: str
    job: Job | None
    slots: tuple[str, ...] = ()
    nodes: tuple[Node, ...] = ()
    since: datetime | None = None
    reason: str = ""

    @property
    def is_wrong(self) -> bool:
        return self.tone in WRONG

    @property
    def _order(self) -> tuple[object, ...]:
        """Nodes come before the jobs that suffer from it, significant jobs before others, the newest before the old."""
        newest = -as_utc(self.since).timestamp() if self.since else 0.0
        is_ordinary = self.job is not None and not self.job.significant
        name = self.job.name if self.job is not None else ""
        return TONES.index(self.tone), self.job is not None, is_ordinary, newest, name


def find_troubles(fleet: Fleet, *, may_view_output: bool) -> list[Trouble]:
    """Return the troubles, worst first, with those words alone that the user may read."""
    found = [*_of_nodes(fleet, may_view_output=may_view_output)]
    nodes = {node.pk: node for node in fleet.nodes.nodes}
    for rows in fleet.jobs:
        of_job = [
            *_of_slots(rows, nodes, may_view_output=may_view_output),
            *_of_places(rows, fleet),
            *_of_nobody(rows, fleet),
        ]
        found += of_job
        if not any(trouble.is_wrong for trouble in of_job):
            found += _of_ends(rows, may_view_output=may_view_output)
    return sorted(found, key=lambda trouble: trouble._order)


def _of_nodes(fleet: Fleet, *, may_view_output: bool) -> Iterator[Trouble]:
    for node in fleet.silent:
        count = fleet.last_known.get(node.pk, 0)
        known = ngettext("%(count)s slot is not known", "%(count)s slots are not known", count) % {"count": count}
        reason = _("It does not reach the database, or has ended: %(known)s.") % {"known": known}
        yield Trouble("bad", _("silent"), None, (), (node,), node.pulse, reason)
    for node in fleet.nodes.live:
        if node.halt:
            halt = halt_of(node, may_view_output=may_view_output)
            yield Trouble("bad", _("reload halted"), None, (), (node,), None, halt)


def _of_slots(rows: JobRows, nodes: dict[int, Node], *, may_view_output: bool) -> Iterator[Trouble]:
    """Yield one for each state in which slots of the job do not run, and for a row that cannot run."""
    job = rows.job
    if not job.enabled:
        return
    problem = problem_of(job, may_view_output=may_view_output)
    for state in NOT_RUNNING:
        slots = [slot for slot in rows.slots if slot.state == state and not is_resting(slot, job)]
        if state == State.PARKED and problem:
            yield _trouble("bad", _("cannot run"), rows, slots, nodes, problem)
        elif slots:
            tone = "hold" if state == State.STOPPED else STATE_TONES[state]
            words = _("stopped by an operator") if state == State.STOPPED else str(STATE_WORDS[state])
            reason = _reason(slots, may_view_output=may_view_output)
            yield _trouble(tone, words, rows, slots, nodes, reason)


def _of_places(rows: JobRows, fleet: Fleet) -> Iterator[Trouble]:
    """Yield what is wrong with the seats of a job of the fleet."""
    wanted = [place for place in rows.places if place.is_wanted]
    free = [place for place in wanted if not place.is_held]
    for tone, group in (
        ("wait", [one for one in free if one.reason == SOON]),
        ("bad", [one for one in free if one.reason != SOON]),
    ):
        if group:
            names = tuple(place.name for place in group)
            yield Trouble(tone, _("no node has it"), rows.job, names, (), None, group[0].reason)
    cut_off = [place for place in wanted if place.holder is not None and is_silent(place.holder, fleet.now)]
    if cut_off:
        holders = [place.holder for place in cut_off if place.holder is not None]
        names, since = (
            tuple(place.name for place in cut_off),
            max((one.pulse for one in holders if one.pulse), default=None),
        )
        yield Trouble("warn", _("its node is silent"), rows.job, names, _unique(holders), since, cut_off[0].reason)
    if stopped := [place for place in rows.places if rows.job.enabled and place.stopped_by]:
        names = tuple(place.name for place in stopped)
        yield Trouble("hold", _("stopped by an operator"), rows.job, names, (), None, stopped[0].reason)


def _of_nobody(rows: JobRows, fleet: Fleet) -> Iterator[Trouble]:
    """Yield that no living node has a slot of a job that each of them should have."""
    job = rows.job
    if rows.slots or rows.places or not job.enabled or not job.processes or job.problem or not fleet.nodes.live:
        return
    if fitting(fleet.nodes.live, job):
        yield Trouble("wait", _("no daemon has read it yet"), job)
    else:
        reason = _("No node that reports has the labels “%(where)s”.") % {"where": job.where}
        yield Trouble("bad", _("no node has it"), job, reason=reason)


def _of_ends(rows: JobRows, *, may_view_output: bool) -> Iterator[Trouble]:
    """Yield how the last time of a schedule ended, or that a job fails again and again though it is started anew."""
    if not rows.job.enabled:
        return
    if rows.bad_end:
        failed = [slot for slot in rows.slots if LAST_RUN in slot.reason] or list(rows.slots)
        reason = _reason(failed, may_view_output=may_view_output).partition(LAST_RUN)[2]
        words = _("last time: %(outcome)s") % {"outcome": OUTCOME_WORDS.get(rows.bad_end, rows.bad_end)}
        since = max((slot.since for slot in failed if slot.since), default=None)
        yield Trouble("warn", words, rows.job, (), (), since, reason)
    failures = sum(hour.failures for hour in rows.hours[-FRESH:])
    if failures >= OFTEN:
        reason = _("%(count)s failures in the last two hours of the clock.") % {"count": failures}
        yield Trouble("warn", _("fails again and again"), rows.job, reason=reason)


def _trouble(  # noqa: PLR0917 - what a trouble of slots has
    tone: str, words: str, rows: JobRows, slots: Sequence[SlotRow], nodes: dict[int, Node], reason: str
) -> Trouble:
    since = max((slot.since for slot in slots if slot.since), default=None)
    names = tuple(dict.fromkeys(slot.name for slot in slots))
    return Trouble(tone, words, rows.job, names, _unique(nodes[slot.node_id] for slot in slots), since, reason)


def _reason(slots: Sequence[SlotRow], *, may_view_output: bool) -> str:
    """Return the reason of the slot whose state is the newest."""
    newest = max(slots, key=lambda slot: as_utc(slot.since).timestamp() if slot.since else 0.0, default=None)
    return readable(newest.reason, newest.public_reason, may_view_output) if newest is not None else ""


def _unique(nodes: Iterable[Node]) -> tuple[Node, ...]:
    return tuple(dict.fromkeys(nodes))

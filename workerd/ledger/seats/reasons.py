"""The reasons why this node does not have a seat, as sentences for the operator; the daemon hears what changed."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from workerd.wire.messages import SeatsElsewhere
from workerd.wire.spec import JobSpec
from workerd.wire.words import Elsewhere

from .nodes import Nodes
from .place import Me, SeatSeen
from .window import Place

AT_ONCE = 200
DATABASE_OUT = "the database is out"
NOT_KNOWN = "it is not known yet whether another node has it: the database was restarted, or has lost the seat"
ANOTHER_HAS_IT = "another node has it: "
FORMER_HAS_IT = "a former daemon of this node has it, or had it; it is taken over when that is sure to have ended"
_STEPS = ((86400, "d"), (3600, "h"), (600, "min"), (60, "min"))


class Word(NamedTuple):
    """The reason that the daemon is told for one seat."""

    reason: str
    who: str
    """One of ``Elsewhere``: who has the seat, if anybody."""


MINE = Word("", Elsewhere.HELD.value)
IN_QUESTION = Word(NOT_KNOWN, Elsewhere.FREE.value)


def word_for(seat: SeatSeen, job: JobSpec, nodes: Nodes, owner: int | None, me: Me, *, is_takeable: bool) -> Word:
    """Return why this node does not have the seat, and who has; ``owner`` is the node that is to take it."""
    has_holder = not (seat.is_free or is_takeable)
    no_holder = Elsewhere.FREE if nodes.fits(me.node_id, job) else Elsewhere.UNFIT
    if seat.stopped_by:
        return Word(stopped_by(seat.stopped_by), (Elsewhere.HELD if has_holder else Elsewhere.UNFIT).value)
    if seat.life == me.life:
        return MINE
    if has_holder and seat.node_id == me.node_id:
        return Word(FORMER_HAS_IT, Elsewhere.HELD.value)
    if has_holder:
        return Word(held_by(nodes.label(seat.node_id), seat.held_s), Elsewhere.HELD.value)
    if not is_takeable:
        return Word(NOT_KNOWN, no_holder.value)
    if owner is not None:
        return Word(to_take(nodes.label(owner)), no_holder.value)
    living = nodes.living(job.takeover_after, me)
    fits = any(nodes.fits(pk, job) for pk in living)
    return Word(nobody(job, fits=fits), (no_holder if fits else Elsewhere.NOWHERE).value)


def held_by(node: str, held_s: float) -> str:
    """Return who has the seat, and since when: in steps, so that the sentence seldom becomes another."""
    age = _age(held_s)
    return f"{ANOTHER_HAS_IT}{node}{f', since {age}' if age else ''}"


def stopped_by(who: str) -> str:
    return f"it was stopped in the fleet by {who}"


def to_take(node: str) -> str:
    return f"{node} is to take it"


def nobody(job: JobSpec, *, fits: bool) -> str:
    """Return why no node may run the job; ``fits`` is whether one has the labels that it asks for."""
    if not fits:
        return f"no node may run it: where is {job.where}, and no node has {_that_label(job.where)}"
    return "no node may run it: each one that fits drains, or cannot run the job"


def _that_label(where: str) -> str:
    return "those labels" if "," in where else "that label"


def _age(seconds: float) -> str:
    for step, unit in _STEPS:
        if seconds >= step:
            count = int(seconds // step)
            return f"{count * 10 if step == 600 else count} {unit}"
    return ""


class Told:
    """The reasons that the daemon was told last, by place."""

    def __init__(self) -> None:
        self._told: dict[Place, Word] = {}

    def tell(self, words: Mapping[Place, Word]) -> Iterator[SeatsElsewhere]:
        """Yield what has changed since; ``words`` are all that there are now."""
        changed = [[*place, *word] for place, word in words.items() if self._told.get(place) != word]
        self._told = dict(words)
        for start in range(0, len(changed), AT_ONCE):
            yield SeatsElsewhere(changed[start : start + AT_ONCE])

    def database_out(self) -> Iterator[SeatsElsewhere]:
        """Yield that nothing is known of any seat."""
        return self.tell({place: word._replace(reason=DATABASE_OUT) for place, word in self._told.items()})

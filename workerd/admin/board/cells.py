"""The cells of the board's matrix: how a job is on a node, as a colour, a sign and words (``Cells``)."""

from collections import Counter
from collections.abc import Collection, Sequence

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from workerd.admin.badges import STATE_TONES, STATE_WORDS
from workerd.admin.resting import is_resting
from workerd.admin.snapshot import SEVERITY
from workerd.models import Job, Node
from workerd.wire.words import State

from .rows import JobRows

RESTING = "resting"
UNKNOWN = "unknown"
_PLACES: dict[str, int] = {state: place for place, state in enumerate(SEVERITY)}


class Cells:
    """Makes the cells of each row. Of thousands most are alike: what differs is the node's name in the tooltip."""

    def __init__(self, columns: Sequence[Node], living: Collection[int]) -> None:
        self._columns = [(node.pk, escape(node), node.pk in living) for node in columns]
        self._alike: dict[tuple[str, ...], tuple[str, str]] = {}

    def of(self, rows: JobRows) -> SafeString:
        """Return the cells of a job: in each the worst state's sign, and how many slots are in it, of several."""
        on_node = rows.on_node
        cells = []
        for pk, name, is_living in self._columns:
            slots = on_node.get(pk, ())
            states = tuple(RESTING if is_resting(slot, rows.job) else slot.state for slot in slots)
            key = (states if is_living else (UNKNOWN,)) + (("off",) if not rows.job.enabled else ())
            if key not in self._alike:
                self._alike[key] = _around_name(states if is_living else (UNKNOWN,), rows.job)
            before, after = self._alike[key]
            cells.append(f"{before}{name}{after}")
        return SafeString("".join(cells))


def _around_name(states: Sequence[str], job: Job) -> tuple[str, str]:
    """Return the HTML of a cell before and after the node's name."""
    counts = Counter(states)
    ordered = sorted(counts, key=lambda state: _PLACES.get(state, len(_PLACES)))
    tone = _tone(ordered[0], job) if ordered else "none"
    several = len(states) > 1
    words = ", ".join(f"{counts[state]} {_word(state)}" if several else _word(state) for state in ordered) or _("none")
    number = format_html('<span aria-hidden="true">{}</span>', counts[ordered[0]]) if several else ""
    after = format_html(': {}"><span class="workerd-hidden">{}</span>{}</td>', words, words, number)
    return format_html('<td class="workerd-cell workerd-{}" title="', tone), after


def standing(rows: JobRows) -> tuple[str, str]:
    """Return the tone and the words of a job in which nothing is wrong: "12 of 12 running"."""
    job = rows.job
    if not job.enabled:
        return "rest", _("off")
    if not job.processes:
        return "rest", _("no process")
    if rows.slots and rows.resting == len(rows.slots):
        return "due", _("waits for its time")
    done = sum(slot.state == State.DONE for slot in rows.slots)
    if done and done == len(rows.slots):
        return "rest", _("done")
    tone = "good" if rows.running else "wait"
    return tone, _("%(running)s of %(wanted)s running") % {"running": rows.running, "wanted": rows.wanted - done}


def _word(state: str) -> str:
    if state == UNKNOWN:
        return _("not known")
    return _("waits for its time") if state == RESTING else str(STATE_WORDS.get(state, state))


def _tone(state: str, job: Job) -> str:
    if state in (RESTING, UNKNOWN):
        return "due" if state == RESTING else UNKNOWN
    return "hold" if state == State.STOPPED and job.enabled else STATE_TONES.get(state, "rest")

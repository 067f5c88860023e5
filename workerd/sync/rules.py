"""The rules of sync for one field of a row, and for a row whose definition is gone. Pure.

Three values tell who changed what: the code's, the row's, and the one that sync has written last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final


class Absent(Enum):
    """No value: the code does not say the field, or sync has never written it."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


class Choice(Enum):
    """An operator's choice between the row's value and the code's."""

    NONE = "none"
    TAKE = "take"
    GIVE = "give"


class Kind(Enum):
    """The fate of one field of a row."""

    IN_STEP = "in step"
    NOTED = "noted"
    """The row needs no change; what sync knows of it does."""
    WRITTEN = "written"
    GIVEN = "given"
    """The row's value is accepted: it is no drift until the row or the code changes once more."""
    DRIFT = "drift"
    CONFLICT = "conflict"


OPEN = frozenset({Kind.DRIFT, Kind.CONFLICT})
"""The kinds that somebody has to decide: the row keeps its value."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The values of one field: the code's, the row's, and those that sync keeps.

    ``default`` is what the field is to be where the code does not say it. ``given`` is the row's value that was
    accepted beside ``synced``, the code's value at that time; without one, it is what sync has made the row with.
    """

    code: Any
    row: Any
    synced: Any
    default: Any
    given: Any = ABSENT
    former_default: Any = ABSENT
    """The default until now, where it was another one: that of ``restart`` goes with the schedule."""

    @property
    def known(self) -> Any:
        """The value that the row has unless somebody has edited it."""
        if self.synced is not ABSENT:
            return self.synced
        if self.given is not ABSENT:
            return self.given
        return self.default if self.former_default is ABSENT else self.former_default


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision about one field; ``synced`` and ``given`` are what sync keeps of it from now on."""

    kind: Kind
    wanted: Any
    """The code's value, or the default where the code no longer says one."""
    synced: Any
    given: Any = ABSENT
    is_said: bool = True


def judge(sides: Sides, choice: Choice = Choice.NONE) -> Verdict:
    """Return what becomes of the field.

    The code owns what it says, or has said until now; everything else is the admin's. A field that the code says for
    the first time counts as unchanged in the row as long as it has its default there.
    """
    if sides.code is ABSENT and sides.synced is ABSENT:
        is_untouched = sides.given is not ABSENT and same(sides.row, sides.given)
        return Verdict(Kind.IN_STEP, ABSENT, ABSENT, sides.given if is_untouched else ABSENT, is_said=False)
    is_said = sides.code is not ABSENT
    wanted = sides.code if is_said else sides.default
    kind = _decide(sides, choice, wanted)
    if kind in OPEN or kind is Kind.IN_STEP:
        return Verdict(kind, wanted, sides.synced, sides.given, is_said)
    given = sides.row if kind is Kind.GIVEN and is_said else ABSENT
    return Verdict(kind, wanted, sides.code, given, is_said)


def _decide(sides: Sides, choice: Choice, wanted: Any) -> Kind:
    is_said = sides.code is not ABSENT
    is_new = sides.synced is ABSENT or not same(wanted, sides.synced)
    is_given = sides.given is not ABSENT
    is_accepted = is_given and same(sides.row, sides.given)
    if same(sides.row, wanted):
        return Kind.IN_STEP if is_said and not is_new and not is_given else Kind.NOTED
    if choice is Choice.TAKE:
        return Kind.WRITTEN
    if is_accepted and is_said and not is_new:
        return Kind.IN_STEP
    if choice is Choice.GIVE:
        return Kind.GIVEN
    if is_accepted and not is_said:
        return Kind.NOTED  # the admin's from now on, as it was accepted
    if same(sides.row, sides.known):
        return Kind.WRITTEN
    return Kind.CONFLICT if is_said and is_new else Kind.DRIFT


class Gone(Enum):
    """The fate of a row whose definition is gone."""

    OFF = "off"
    """The row is off already."""
    NOTED = "noted"
    """The row was off before its definition went; sync remembers that, so that nothing switches it on later."""
    SWITCHED_OFF = "switched off"
    DELETED = "deleted"
    HANDED_OVER = "handed over"
    """The row is the admin's from now on."""
    DRIFT = "drift"
    """Somebody has switched it on again."""


WAS_OFF: Final = None
"""The value that sync keeps of ``enabled`` where a row was off before its definition went."""


def judge_gone(*, enabled: bool, synced: Any, choice: Choice = Choice.NONE, prune: bool = False) -> Gone:
    """Return what becomes of the row; ``synced`` is what sync keeps of ``enabled``."""
    is_known = synced is WAS_OFF or synced is False
    if choice is Choice.GIVE:
        return Gone.HANDED_OVER
    if enabled and is_known and choice is not Choice.TAKE:
        return Gone.DRIFT
    if prune:
        return Gone.DELETED
    if enabled:
        return Gone.SWITCHED_OFF
    return Gone.OFF if is_known else Gone.NOTED


def same(one: Any, other: Any) -> bool:
    """Return whether two values of a field mean the same.

    5 is 5.0 and never true. A form stores other ends of lines than a file has, and strips what surrounds a text.
    """
    if isinstance(one, str) and isinstance(other, str):
        return _plain(one) == _plain(other)
    return _is_equal(one, other)


def _is_equal(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_is_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_is_equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()

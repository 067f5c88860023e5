"""A fate says what becomes of a directive of another program's file. Each format has a total table of them."""

import enum
from typing import NamedTuple


class Fate(enum.Enum):
    """Exactly one of these is the end of each directive."""

    MAPPED = "mapped to a field, or to a part of one"
    SERVICE = "the service's own: it holds for the daemon, and so for all jobs"
    DROPPED = "dropped: workerd needs none"
    BLOCKS = "blocks the adoption"


class Directive(NamedTuple):
    """The fate of a directive, and the field that takes it, or why none does."""

    fate: Fate
    says: str


def mapped(fields: str) -> Directive:
    return Directive(Fate.MAPPED, fields)


def service(why: str) -> Directive:
    return Directive(Fate.SERVICE, why)


def dropped(why: str) -> Directive:
    return Directive(Fate.DROPPED, why)


def blocks(why: str) -> Directive:
    return Directive(Fate.BLOCKS, why)

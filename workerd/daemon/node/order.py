"""One operator's order under way: for which slots, by whom, and what has come of it so far."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from workerd.daemon.io.loop import Timer
from workerd.daemon.slots.slot import LiveSlot

from .triggers import Triggered

Reply = Callable[[dict[str, Any]], None]


class SlotAnswer(NamedTuple):
    """The part of an order's answer that is about one slot."""

    slot: str
    ok: bool
    text: str


@dataclass(eq=False, repr=False, slots=True)
class Order:
    """One order under way.

    ``waiting`` holds the slots that have not arrived where the order wants them, with the run that each had when it was
    given.
    """

    verb: str
    by: str
    reply: Reply
    everyone: bool = False
    """The order is for all slots: then it passes over a slot that cannot do it, which fails an order by name."""
    to_end: bool = False
    """A trigger is answered when the runs have ended, however long they take, not when they have begun."""
    waiting: dict[LiveSlot, str | None] = field(default_factory=dict)
    triggered: dict[LiveSlot, Triggered] = field(default_factory=dict)
    answers: list[SlotAnswer] = field(default_factory=list)
    passes_on: bool = False
    """The order goes on to other nodes, for the seats that they hold; each of them got an order in a row already."""
    unconfirmed: set[LiveSlot] = field(default_factory=set)
    """Those of ``waiting`` for which the database has not taken yet what the order means in the fleet."""
    generation: int = 0
    """The newest code that a process runs which was restarted."""
    overdue: Timer | None = None

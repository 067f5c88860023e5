"""Pacing: a line, and so many places in front of it."""

from typing import Any

from workerd.daemon.slots.pacing import Pacing


class Line:
    """Slots are numbers here; those in ``refused`` leave at their turn, as one that is parked does."""

    def __init__(self, places: int, refused: range = range(0)) -> None:
        self.turns: list[Any] = []
        self.refused = refused
        self.pacing: Pacing[Any] = Pacing(places)

    def _give_turn(self, slot: Any) -> None:
        self.turns.append(slot)
        if slot in self.refused:
            self.pacing.leave(slot)

    def stand(self, *slots: Any) -> None:
        for slot in slots:
            self.pacing.stand_in_line(slot, lambda slot=slot: self._give_turn(slot))  # type: ignore[misc]

    def leave(self, slot: Any) -> None:
        self.pacing.leave(slot)


def test_as_many_load_at_once_as_there_are_places() -> None:
    line = Line(places=2)
    line.stand(1, 2, 3, 4)

    assert line.turns == [1, 2]


def test_whoever_has_loaded_makes_room_for_the_next() -> None:
    line = Line(places=2)
    line.stand(1, 2, 3, 4)
    line.leave(2)

    assert line.turns == [1, 2, 3]


def test_asking_twice_is_asking_once() -> None:
    line = Line(places=1)
    line.stand(1, 2, 2, 3)
    line.leave(1)
    line.leave(2)

    assert line.turns == [1, 2, 3]


def test_whoever_leaves_the_line_gets_no_turn() -> None:
    line = Line(places=1)
    line.stand(1, 2, 3)
    line.leave(2)
    line.leave(1)

    assert line.turns == [1, 3]


def test_leaving_twice_makes_room_for_one_only() -> None:
    line = Line(places=1)
    line.stand(1, 2, 3)
    line.leave(1)
    line.leave(1)

    assert line.turns == [1, 2]


def test_it_is_idle_when_nobody_waits_and_nobody_loads() -> None:
    line = Line(places=1)
    seen = [line.pacing.idle]
    line.stand(1)
    seen.append(line.pacing.idle)
    line.leave(1)

    assert [*seen, line.pacing.idle] == [True, False, True]


def test_a_long_line_of_slots_that_leave_at_their_turn_is_no_recursion() -> None:
    """A job with thousands of processes and a row that cannot run: every one is parked, and those behind go on."""
    line = Line(places=1, refused=range(1, 5000))
    line.stand(0, *range(1, 5000), 5000)
    line.leave(0)

    assert line.turns == list(range(5001))


def test_by_default_there_are_as_many_places_as_processors() -> None:
    turns: list[Any] = []
    pacing: Pacing[int] = Pacing()
    for slot in range(500):
        pacing.stand_in_line(slot, lambda slot=slot: turns.append(slot))  # type: ignore[misc]

    assert 1 <= len(turns) < 500

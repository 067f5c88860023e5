"""What a look reads of a seat again, and what it knows: only one that has changed hands is read whole."""

import uuid
from typing import Any

import pytest

from workerd.ledger.seats.known import Known, Short, one_server
from workerd.ledger.seats.place import SeatSeen

LIFE = uuid.UUID(int=2)
SEAT = SeatSeen((7, 0), 2, LIFE, 50, 3, 30_000, "", 100.0)
ROW = Short(1, 50, 3, 30_000, is_free=False, is_stopped=False)


@pytest.fixture
def known() -> Known:
    known = Known()
    known.take_all({1: SEAT}, 1000.0)
    return known


def test_of_a_seat_that_goes_on_the_beat_and_the_time_are_taken(known: Known) -> None:
    assert known.look([ROW._replace(beat=4, takeover_ms=60_000)], 1005.0) == set()

    assert known.seats == {(7, 0): SEAT._replace(beat=4, takeover_ms=60_000, held_s=105.0)}


@pytest.mark.parametrize("change", [{"token": 51}, {"is_free": True}, {"is_stopped": True}, {"pk": 2}])
def test_a_seat_that_has_changed_hands_is_read_whole(known: Known, change: dict[str, Any]) -> None:
    row = ROW._replace(**change)

    assert known.look([row], 1005.0) == {row.pk}
    assert known.seats == {}
    known.take({row.pk: SEAT._replace(token=51)})
    assert known.seats == {(7, 0): SEAT._replace(token=51)}


def test_a_seat_without_a_row_is_forgotten(known: Known) -> None:
    assert known.look([], 1005.0) == set()

    assert known.seats == {}


def test_the_age_of_a_free_seat_is_none(known: Known) -> None:
    known.take_all({1: SEAT._replace(life=None, held_s=0.0)}, 1000.0)
    known.look([ROW._replace(is_free=True)], 1005.0)

    assert known.seats[7, 0].held_s == 0.0


def test_two_servers_in_one_look_are_neither() -> None:
    assert one_server({"a"}) == "a"
    assert one_server({"a", "b"}) == one_server({"b", "a"})
    assert one_server({"a", "b"}) not in {"a", "b"}

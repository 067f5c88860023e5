"""The collector of garbage in a forkserver rests during the load, and does as the project wishes after it."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from workerd.forkserver import garbage

USUAL, OWN = (700, 10, 10), (5000, 20, 20)


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = gc.get_threshold()
    monkeypatch.setattr(gc, "freeze", lambda: None)
    gc.set_threshold(*USUAL)
    yield
    gc.set_threshold(*before)
    gc.enable()


def test_it_rests_between_the_two() -> None:
    garbage.rest()
    resting, is_enabled = gc.get_threshold(), gc.isenabled()
    garbage.go_on()

    assert (resting[0], is_enabled) == (0, True)
    assert gc.get_threshold() == USUAL


def test_the_thresholds_that_the_project_sets_as_it_is_loaded_stay() -> None:
    garbage.rest()
    gc.set_threshold(*OWN)
    garbage.go_on()

    assert gc.get_threshold() == OWN


def test_where_the_project_switches_it_off_it_stays_off() -> None:
    garbage.rest()
    gc.disable()
    garbage.go_on()

    assert not gc.isenabled()


class Thing:
    itself: "Thing"


def test_what_the_load_has_left_is_collected() -> None:
    garbage.rest()
    thing = Thing()
    thing.itself = thing
    left = weakref.ref(thing)
    del thing
    assert left() is not None
    garbage.go_on()

    assert left() is None

import pytest

from workerd.wire.words import ALIVE, FAILURES, GOOD, MOVING, Outcome, State, names_slot


def test_every_outcome_of_a_run_that_was_seen_is_either_good_or_a_failure() -> None:
    assert GOOD.isdisjoint(FAILURES)
    assert set(Outcome) - GOOD - FAILURES == {Outcome.LOST, Outcome.MISSED}


def test_what_a_row_holds_as_text_is_found_in_the_sets() -> None:
    assert str(State.RUNNING.value) in ALIVE
    assert str(State.WAITING.value) in MOVING
    assert "hung" in FAILURES


@pytest.mark.parametrize(
    ("name", "slot"),
    [("feed", "feed"), ("feed:0", "feed"), ("feed", "feed:1"), ("feed:1", "feed:1"), ("feed:0", "feed:0")],
)
def test_a_slot_is_named_by_its_job_or_its_number(name: str, slot: str) -> None:
    assert names_slot(name, slot)


@pytest.mark.parametrize(
    ("name", "slot"), [("fee", "feed"), ("feed:1", "feed"), ("feed:0", "feed:1"), ("feed:1:0", "feed:1"), ("", "feed")]
)
def test_a_slot_is_not_named_otherwise(name: str, slot: str) -> None:
    assert not names_slot(name, slot)

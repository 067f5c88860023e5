from workerd.wire.words import ALIVE, FAILURES, GOOD, MOVING, Outcome, State


def test_every_outcome_but_lost_is_either_good_or_a_failure() -> None:
    assert GOOD.isdisjoint(FAILURES)
    assert set(Outcome) - GOOD - FAILURES == {Outcome.LOST}


def test_what_a_row_holds_as_text_is_found_in_the_sets() -> None:
    assert str(State.RUNNING.value) in ALIVE
    assert str(State.WAITING.value) in MOVING
    assert "hung" in FAILURES

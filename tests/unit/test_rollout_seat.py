"""The seat without a job, by which one node at a time drains or reloads: who claims it, and what it leaves alone."""

from dataclasses import replace

import pytest

from workerd.ledger.seats.requests import Requests, Wanted
from workerd.models import Seat
from workerd.wire.messages import RolloutWanted
from workerd.wire.rollout_seat import ROLLOUT, ROLLOUT_JOB, ROLLOUT_SPEC

from .test_seat_choice import FREE, JOB, ME, OTHER, TAKEN, F, R, Story, claimed, claims_within

FREE_TURN = FREE._replace(place=ROLLOUT)
TAKEN_TURN = TAKEN._replace(place=ROLLOUT)


@pytest.fixture
def story() -> Story:
    """A node that wants the seat, beside one that does not."""
    story = Story()
    story.asked = replace(story.asked, wanted=Wanted(1, (JOB, ROLLOUT_SPEC)))
    return story


def test_it_is_claimed_at_the_first_look_however_many_nodes_there_are(story: Story) -> None:
    assert ROLLOUT in claimed(story.look(FREE_TURN))


def test_a_drained_node_claims_it_and_no_other(story: Story) -> None:
    story.alone()
    story.asked = replace(story.asked, draining=True)

    assert claimed(story.look(FREE, FREE_TURN)) == [ROLLOUT]


def test_its_holder_is_named_and_keeps_it_while_he_beats(story: Story) -> None:
    claims = claims_within(story, TAKEN_TURN, 20, beats=lambda turn: turn)
    word = story.look(TAKEN_TURN._replace(beat=99)).words[ROLLOUT]

    assert (any(claims), word) == (False, ("another node has it: web@b, since 3 h", "held"))


def test_it_is_taken_over_from_a_node_that_is_silent(story: Story) -> None:
    assert claims_within(story, TAKEN_TURN, 8).index(True) == int(F / R)


def test_a_node_that_does_not_want_it_leaves_it_alone(story: Story) -> None:
    story.want()
    plan = story.look(TAKEN, FREE_TURN)

    assert (plan.claims, plan.unwanted, ROLLOUT in plan.words) == ([], [], False)


def test_whoever_holds_it_counts_as_no_fuller_for_that() -> None:
    """Neither node has a seat of a job: which of them claims rests on the hash alone, whoever has this one."""
    claims = [
        claimed(Story().look(FREE, TAKEN_TURN._replace(node_id=node_id, life=life)))
        for node_id, life in ((1, ME.life), (2, OTHER))
    ]

    assert claims[0] == claims[1]


def test_it_is_wanted_beside_the_jobs_of_the_rows_as_long_as_the_daemon_asks() -> None:
    requests = Requests()
    requests.hear(RolloutWanted(True))
    assert requests.enter() is False, "no node's row yet"
    requests.want(Wanted(3))
    assert requests.wait(60.0) is True
    assert requests.enter() is True
    requests.want(Wanted(3, (JOB,)))
    assert requests.take().wanted.jobs == (JOB, ROLLOUT_SPEC)
    requests.wait(0.0)
    requests.hear(RolloutWanted(True))
    assert requests.wait(0.0) is False, "said again"
    requests.hear(RolloutWanted(False))

    assert requests.take().wanted == Wanted(3, (JOB,))


def test_its_row_says_what_it_is() -> None:
    assert str(Seat(job_id=ROLLOUT_JOB, index=0)) == "workerd.rollout:0"

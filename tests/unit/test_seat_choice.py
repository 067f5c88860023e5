"""What a node does about the seats that a look shows: claims, seats to make, what is given back, and the reasons."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from workerd.ledger.seats.asked import Asked, Wanted
from workerd.ledger.seats.choice import Choice, Plan
from workerd.ledger.seats.look import Look
from workerd.ledger.seats.place import Me, NodeSeen, SeatSeen
from workerd.ledger.seats.window import Place
from workerd.wire.spec import JobSpec
from workerd.wire.words import Before

F, R = 30.0, 5.0
ME = Me(1, uuid.UUID(int=1))
OTHER, EARLIER = uuid.UUID(int=2), uuid.UUID(int=9)
JOB = JobSpec(name="feed", id=7, scope="fleet", takeover_after=F)
FREE = SeatSeen((7, 0), None, None, 0, 0, 30_000, "", 0.0)
TAKEN = SeatSeen((7, 0), 2, OTHER, 50, 3, 30_000, "", 3 * 3600.0)


def node(label: str, life: uuid.UUID | None, **values: Any) -> NodeSeen:
    given = {"beat": 0, "labels": "{}", "draining": False, "cannot": "{}", "is_recent": True, **values}
    return NodeSeen(label, life, **given)


class Story:
    """A choice, and looks at it every R seconds; the other node beats unless it is silent."""

    def __init__(self, earlier: uuid.UUID | None = None) -> None:
        self.now = 1000.0
        self.choice = Choice(earlier, lambda: self.now)
        self.nodes = {1: node("web@a", ME.life), 2: node("web@b", OTHER)}
        self.asked = Asked(Wanted(1, (JOB,)))
        self.server = "s1"
        self.nodes_read = 0

    def look(self, *seats: SeatSeen, after: float = R, counts: bool = True) -> Plan:
        self.now += after
        for pk, seen in self.nodes.items():
            self.nodes[pk] = seen._replace(beat=seen.beat + (seen.life is not None))
        look = Look(self.server, self.now, self.now, {seat.place: seat for seat in seats})
        return self.choice.look(look, ME, self.asked, self._read_nodes, counts=counts)

    def _read_nodes(self) -> dict[int, NodeSeen]:
        self.nodes_read += 1
        return dict(self.nodes)

    def alone(self) -> None:
        del self.nodes[2]

    def want(self, **changes: Any) -> None:
        self.asked = replace(self.asked, wanted=Wanted(1, (JOB._replace(**changes),)))


@pytest.fixture
def story() -> Story:
    return Story()


def claimed(plan: Plan) -> list[Place]:
    return [seat.place for seat in plan.claims]


def claims_within(story: Story, seat: SeatSeen, looks: int, beats: Callable[[int], int] = lambda _: 0) -> list[bool]:
    """Return, for each of so many looks at a seat, whether it is claimed."""
    return [bool(story.look(seat._replace(beat=seat.beat + beats(turn))).claims) for turn in range(looks)]


def test_missing_seats_are_made(story: Story) -> None:
    story.want(processes=2)

    assert story.look(FREE).missing == {(7, 1): 30_000}


def test_a_free_seat_is_claimed_at_the_first_look(story: Story) -> None:
    story.alone()

    assert claimed(story.look(FREE)) == [(7, 0)]


def test_a_held_seat_is_claimed_after_its_holders_time(story: Story) -> None:
    story.alone()
    claims = claims_within(story, TAKEN, 8)

    assert claims.index(True) == int(F / R)


def test_a_held_seat_that_beats_is_left_alone(story: Story) -> None:
    story.alone()

    assert not any(claims_within(story, TAKEN, 20, beats=lambda turn: turn))


def test_the_seat_of_an_earlier_life_of_this_node_is_claimed_at_once() -> None:
    story = Story(EARLIER)

    assert claimed(story.look(TAKEN._replace(life=EARLIER))) == [(7, 0)]


def test_at_another_server_the_seat_of_an_earlier_life_is_another_nodes_for_all_that_is_known() -> None:
    story = Story(EARLIER)
    story.alone()
    story.look(TAKEN)
    story.server = "s2"
    claims = claims_within(story, TAKEN._replace(life=EARLIER), 8)

    assert claims.index(True) == int(F / R)


def test_what_an_earlier_life_left_and_this_node_cannot_run_is_given_back() -> None:
    story = Story(EARLIER)
    story.asked = replace(story.asked, declined={7: "no module"})
    plan = story.look(TAKEN._replace(life=EARLIER))

    assert (claimed(plan), [seat.place for seat in plan.left]) == ([], [(7, 0)])


def test_the_daemon_is_told_how_a_seat_stood_before() -> None:
    choice = Story(EARLIER).choice
    seats = (FREE, TAKEN, TAKEN._replace(life=EARLIER))

    assert [choice.before(seat) for seat in seats] == [Before.FREE, Before.SILENT, Before.OURS]


def test_of_two_nodes_one_claims_and_the_other_waits_its_looks(story: Story) -> None:
    story.want(processes=2)
    free = [FREE, FREE._replace(place=(7, 1))]
    first = claimed(story.look(*free))

    assert len(first) == 1
    left = [seat for seat in free if seat.place not in first]
    claims = [claimed(story.look(*left)) for _ in range(4)]
    assert claims[-1] == [left[0].place]


@pytest.mark.parametrize(
    "change",
    [{"draining": True}, {"cannot": '{"7": "no module"}'}, {"life": None}, {"labels": '{"zone": "b"}'}],
)
def test_a_node_that_may_not_run_it_has_no_turn(story: Story, change: dict[str, Any]) -> None:
    story.want(where="zone=a")
    story.nodes[1] = story.nodes[1]._replace(labels='{"zone": "a"}')
    story.nodes[2] = story.nodes[2]._replace(**{"labels": '{"zone": "a"}', **change})

    assert claimed(story.look(FREE)) == [(7, 0)]


def test_a_node_that_drains_or_has_declined_claims_nothing(story: Story) -> None:
    story.alone()
    for asked in (replace(story.asked, draining=True), replace(story.asked, declined={7: "no module"})):
        story.asked = asked

        assert claimed(story.look(FREE)) == []


def test_a_node_whose_pulse_is_old_has_no_turn(story: Story) -> None:
    story.nodes[2] = story.nodes[2]._replace(is_recent=False)

    assert claimed(story.look(FREE)) == [(7, 0)]


def not_ours(story: Story) -> SeatSeen:
    """Return a free seat that is the other node's to take."""
    story.want(processes=20)
    free = [FREE._replace(place=(7, index)) for index in range(20)]
    mine = claimed(story.look(*free))
    return next(seat for seat in free if seat.place not in mine)


def test_looks_that_an_event_has_caused_end_nobodys_patience(story: Story) -> None:
    seat = not_ours(story)
    for _ in range(10):
        assert claimed(story.look(seat, after=0.1, counts=False)) == []
    claims = [claimed(story.look(seat)) for _ in range(2)]

    assert claims == [[], [seat.place]]


def test_the_nodes_are_read_only_where_a_seat_may_be_taken_here(story: Story) -> None:
    for turn in range(5):
        story.look(TAKEN._replace(beat=turn))
    assert story.nodes_read == 1
    story.asked = replace(story.asked, declined={7: "no module"})
    story.look(FREE._replace(token=50))
    assert story.nodes_read == 1
    story.asked = replace(story.asked, declined={})
    story.look(FREE._replace(token=50))
    assert story.nodes_read == 2
    story.look(TAKEN, after=61.0)

    assert story.nodes_read == 3


def test_a_holder_that_is_new_is_read_once_even_without_a_row(story: Story) -> None:
    story.look(TAKEN)
    for turn in range(3):
        story.look(TAKEN._replace(node_id=3, beat=turn))

    assert story.nodes_read == 2


def test_a_seat_that_was_given_up_has_a_rank_without_a_look(story: Story) -> None:
    story.nodes[3] = node("web@c", uuid.UUID(int=3))
    held = [TAKEN._replace(place=(7, index), node_id=owner) for index, owner in enumerate((2, 2, 3))]
    story.want(processes=3)
    story.look(*held)

    def rank(giver: int | None) -> int | None:
        return story.choice.rank((7, 0), giver, ME, story.asked)

    assert rank(2) == 0
    story.look(*held[:2], held[2]._replace(node_id=1))
    assert rank(2) == 1
    assert rank(3) in {1, 2}
    story.asked = replace(story.asked, draining=True)
    assert rank(2) is None
    assert story.choice.rank((9, 0), 2, ME, story.asked) is None


def test_a_seat_that_was_stopped_is_not_claimed_and_says_by_whom(story: Story) -> None:
    story.alone()
    plan = story.look(FREE._replace(stopped_by="ann"))

    assert claimed(plan) == []
    assert plan.words[7, 0] == ("it was stopped in the fleet by ann", "unfit")


def test_what_vanished_while_it_was_held_is_left_alone_for_its_holders_time(story: Story) -> None:
    """The table was truncated: the holder's process lives until its next renewal."""
    story.alone()
    story.look(TAKEN)
    story.look()
    claims = [bool(story.look(FREE).claims) for _ in range(7)]

    assert claims.index(True) == int(F / R) - 1


def test_what_another_node_has_made_anew_is_left_alone_as_well(story: Story) -> None:
    """It was quicker than our look, which never showed the seat missing."""
    story.alone()
    story.look(TAKEN)
    claims = [bool(story.look(FREE).claims) for _ in range(8)]

    assert claims.index(True) == int(F / R)


def test_what_is_free_at_another_server_is_left_alone_at_first(story: Story) -> None:
    """A replica that took over may have forgotten the last claim."""
    story.alone()
    story.look(FREE._replace(stopped_by="ann"))
    story.server = "s2"
    claims = [bool(story.look(FREE).claims) for _ in range(8)]

    assert claims.index(True) == int(F / R)


def test_a_new_keeper_leaves_alone_what_is_free_at_a_server_that_the_other_nodes_do_not_believe(story: Story) -> None:
    """It began after a failover: another node may have taken the seat just before, which the new server forgot."""
    story.nodes[2] = story.nodes[2]._replace(server="s0", draining=True)
    claims = claims_within(story, FREE, 8)

    assert claims.index(True) == int(F / R)


@pytest.mark.parametrize("other", [{"server": "s1"}, {"server": ""}, {"server": "s0", "life": None}])
def test_a_new_keeper_takes_what_is_free_where_nobody_believes_another_server(
    story: Story, other: dict[str, Any]
) -> None:
    story.nodes[2] = story.nodes[2]._replace(**other)

    assert any(claims_within(story, FREE, 3))


def test_a_new_keeper_leaves_alone_what_the_server_of_nobody_lacks(story: Story) -> None:
    story.nodes[2] = story.nodes[2]._replace(server="s0", draining=True)
    story.look()
    claims = claims_within(story, FREE, 8)

    assert claims.index(True) == int(F / R) - 1


def test_an_earlier_lifes_seat_is_another_nodes_where_the_first_server_is_not_the_others(story: Story) -> None:
    story = Story(EARLIER)
    story.nodes[2] = story.nodes[2]._replace(server="s0")

    assert claimed(story.look(TAKEN._replace(life=EARLIER))) == []


def test_a_server_is_believed_at_first_and_another_one_when_all_that_it_may_have_forgotten_has_ended(
    story: Story,
) -> None:
    story.look(TAKEN)
    first = story.choice.believed
    story.server = "s2"
    believed = []
    for _ in range(8):
        story.look(TAKEN)
        believed.append(story.choice.believed)

    assert first == "s1"
    assert believed == [None] * int(F / R) + ["s2"] * (8 - int(F / R))


def test_what_is_released_at_the_new_server_is_claimed_at_once(story: Story) -> None:
    story.alone()
    story.look(TAKEN)
    story.server = "s2"
    story.look(TAKEN)

    assert claimed(story.look(FREE._replace(token=50))) == [(7, 0)]


def test_free_seats_that_no_row_here_wants_are_named(story: Story) -> None:
    assert story.look(FREE, FREE._replace(place=(8, 0)), TAKEN._replace(place=(9, 0))).unwanted == [(8, 0)]


def test_each_seat_says_why_it_is_not_here(story: Story) -> None:
    assert story.look(TAKEN).words == {(7, 0): ("another node has it: web@b, since 3 h", "held")}
    assert story.look(TAKEN._replace(life=ME.life)).words == {(7, 0): ("", "held")}
    (former, who) = story.look(TAKEN._replace(node_id=ME.node_id)).words[7, 0]
    assert (former.startswith("a former daemon of this node has it"), who) == (True, "held")
    story.asked = replace(story.asked, declined={7: "no module"})
    assert story.look(FREE._replace(token=50)).words == {(7, 0): ("web@b is to take it", "free")}


def test_a_job_for_a_label_that_no_node_has_says_so(story: Story) -> None:
    story.want(where="zone=a")

    assert story.look(FREE).words == {
        (7, 0): ("no node may run it: where is zone=a, and no node has that label", "nowhere")
    }


def test_a_job_that_every_node_refuses_says_so(story: Story) -> None:
    story.alone()
    story.asked = replace(story.asked, draining=True)

    assert story.look(FREE).words == {
        (7, 0): ("no node may run it: each one that fits drains, or cannot run the job", "free")
    }

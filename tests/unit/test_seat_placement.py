"""Which node a free seat belongs to: even, the same on every node, and never by moving what is held."""

from collections import Counter
from collections.abc import Collection, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_borders import run_fresh
from workerd.ledger.seats.placement import LOOKS_A_RANK, Patience, Turn, turns
from workerd.ledger.seats.window import Place


def owners(
    seats: Collection[Place], held: Mapping[Place, int], eligible: Mapping[int, Collection[int]]
) -> dict[Place, int]:
    free = [place for place in seats if place not in held]
    return {**held, **{place: turn.owner for place, turn in turns(1, free, held, eligible)}}


def seats_of(jobs: int, processes: int) -> list[Place]:
    return [(job, index) for job in range(1, jobs + 1) for index in range(processes)]


@pytest.mark.parametrize(
    ("nodes", "jobs", "processes", "each"),
    [(10, 20, 3, 6), (50, 50, 4, 4), pytest.param(500, 200, 5, 2, marks=pytest.mark.slow)],
)
def test_seats_are_spread_evenly_and_a_join_moves_none(nodes: int, jobs: int, processes: int, each: int) -> None:
    """The figures of the experiment: as many seats on each node, and never two of one job on one node."""
    seats, ids = seats_of(jobs, processes), range(1, nodes + 1)
    placed = owners(seats, {}, dict.fromkeys(range(1, jobs + 1), ids))
    joined = owners(seats, placed, dict.fromkeys(range(1, jobs + 1), range(1, nodes + 2)))
    a_node = Counter(placed.values())

    assert (set(a_node), set(a_node.values())) == (set(ids), {each})
    assert max(Counter((job, node) for (job, _), node in placed.items()).values()) == 1
    assert joined == placed


def test_a_leaving_nodes_seats_alone_move_and_are_spread() -> None:
    seats, jobs = seats_of(20, 3), range(1, 21)
    placed = owners(seats, {}, dict.fromkeys(jobs, range(1, 11)))
    left = {place: node for place, node in placed.items() if node != 10}
    again = owners(seats, left, dict.fromkeys(jobs, range(1, 10)))

    assert {place: again[place] for place in left} == left
    assert set(Counter(again.values()).values()) <= {6, 7}


NODES = st.sets(st.integers(1, 9))
ELIGIBLE = st.dictionaries(st.integers(1, 4), NODES)
PLACES = st.sets(st.tuples(st.integers(1, 4), st.integers(0, 5)), max_size=12)


@given(ELIGIBLE, PLACES, st.dictionaries(st.tuples(st.integers(1, 4), st.integers(6, 9)), st.integers(1, 9)))
def test_nodes_agree_whose_each_seat_is_and_who_follows(
    eligible: dict[int, set[int]], free: set[Place], held: dict[Place, int]
) -> None:
    by_node = {node: dict(turns(node, free, held, eligible)) for node in range(1, 10)}
    for place in free:
        can = eligible.get(place[0], set())
        told = {node: by_node[node][place] for node in by_node if place in by_node[node]}

        assert set(told) == (set(by_node) if can else set())
        assert {turn.owner for turn in told.values()} <= can
        assert len({turn.owner for turn in told.values()}) == (1 if can else 0)
        ranks = {node: turn.rank for node, turn in told.items() if turn.rank is not None}
        assert sorted(ranks.values()) == list(range(len(can)))
        assert all(ranks[turn.owner] == 0 for turn in told.values())


@given(st.permutations(seats_of(4, 2)), st.permutations(range(1, 6)))
def test_the_order_in_which_rows_are_read_is_no_matter(seats: list[Place], nodes: list[int]) -> None:
    eligible = dict.fromkeys(range(1, 5), nodes)
    in_order = dict.fromkeys(range(1, 5), range(1, 6))

    assert owners(seats, {}, eligible) == owners(seats_of(4, 2), {}, in_order)


def test_a_seat_that_no_node_may_have_is_nobodys() -> None:
    assert list(turns(1, [(1, 0)], {}, {1: []})) == []


def test_a_node_that_is_not_eligible_has_no_rank() -> None:
    assert list(turns(1, [(1, 0)], {}, {1: [2]})) == [((1, 0), Turn(2, None))]


def test_fewest_of_the_job_comes_before_fewest_seats() -> None:
    held = {(1, 0): 1, (2, 0): 2, (2, 1): 2, (2, 2): 2}

    assert dict(turns(1, [(1, 1)], held, {1: [1, 2]})) == {(1, 1): Turn(2, 1)}


def test_the_order_is_the_same_in_every_process() -> None:
    """Python's own hash of a text differs from process to process."""
    script = (
        "from workerd.ledger.seats.placement import turns\n"
        "free = [(job, index) for job in range(1, 9) for index in range(3)]\n"
        "print(*[turn.owner for _, turn in turns(1, free, {}, {job: range(1, 8) for job in range(1, 9)})])"
    )
    here = [turn.owner for _, turn in turns(1, seats_of(8, 3), {}, dict.fromkeys(range(1, 9), range(1, 8)))]

    assert run_fresh(script) == " ".join(map(str, here))


def test_the_next_in_rank_may_claim_after_two_looks_without_a_claim() -> None:
    patience, seat, told = Patience(), (1, 0), []
    for _ in range(2 * LOOKS_A_RANK + 1):
        patience.look([seat])
        told.append([rank for rank in range(3) if patience.may_claim(seat, rank)])

    assert told == [[0], [0], [0, 1], [0, 1], [0, 1, 2]]


def test_a_claim_begins_the_waiting_anew() -> None:
    patience, seat = Patience(), (1, 0)
    for free in ([seat], [seat], [seat], [], [seat]):
        patience.look(free)

    assert (patience.may_claim(seat, 0), patience.may_claim(seat, 1)) == (True, False)

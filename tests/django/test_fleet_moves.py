"""Rebalancing as a property: whatever the nodes hold, the moves end, and then no two differ by more than one."""

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.properties import examples
from workerd.fleet.picture import Fleet
from workerd.fleet.places import places_of
from workerd.fleet.rebalancing import next_move
from workerd.models import Job, Node, Seat

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def fleet_of(holders: Sequence[int], nodes: int, draining: frozenset[int]) -> Fleet:
    """Return a fleet in which the node of each number holds the seat of that place."""
    rows = tuple(
        Node(pk=pk, name=f"n{pk}", host="rack", pulse=NOW, life=uuid.UUID(int=pk + 1), draining=pk in draining)
        for pk in range(1, nodes + 1)
    )
    job = Job(pk=1, name="feed", scope="fleet", processes=len(holders), movable=True, enabled=True)
    seats = [
        Seat(job=job, index=index, node_id=pk, life=uuid.UUID(int=pk + 1), takeover_ms=30_000)
        for index, pk in enumerate(holders)
    ]
    return Fleet(rows, (job,), places_of(job, seats, rows, NOW), NOW)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[int], int, frozenset[int]]:
    nodes = draw(st.integers(1, 6))
    holders = draw(st.lists(st.integers(1, nodes), max_size=12))
    return holders, nodes, draw(st.frozensets(st.integers(1, nodes), max_size=nodes))


def test_the_moves_end_and_leave_no_two_nodes_that_differ_by_more_than_one() -> None:
    @settings(max_examples=examples(100))
    @given(stories())
    def go(story: tuple[list[int], int, frozenset[int]]) -> None:
        holders, nodes, draining = story
        moves = 0
        while (move := next_move(fleet_of(holders, nodes, draining))) is not None:
            assert holders[move.place.index] == move.holder.pk
            assert move.fewest.pk not in draining
            holders[move.place.index] = move.fewest.pk
            moves += 1
            assert moves <= len(holders), "each seat moves once at most"
        eligible = [pk for pk in range(1, nodes + 1) if pk not in draining]
        held = Counter(holders)
        assert max((held[pk] for pk in eligible), default=0) - min((held[pk] for pk in eligible), default=0) <= 1

    go()

"""Which nodes live, as looks show it: by a beat that moves, and after a while without a look by the pulse."""

import uuid

from workerd.ledger.seats.nodes import Nodes
from workerd.ledger.seats.place import Me, NodeSeen

F = 30.0
ME = Me(1, uuid.UUID(int=1))
OTHER = NodeSeen("web@b", uuid.UUID(int=2), 0, "{}", draining=False, cannot="{}", is_recent=True)


def looked(*looks: tuple[float, int], is_recent: bool) -> list[int]:
    """Return who lives after looks at these times that have shown these beats of the other node."""
    nodes = Nodes()
    for at, beat in looks:
        nodes.look({1: OTHER._replace(life=ME.life), 2: OTHER._replace(beat=beat, is_recent=is_recent)}, at)
    return nodes.living(F, ME)


def test_a_node_that_is_new_lives_where_its_pulse_is_recent() -> None:
    assert looked((0.0, 1), is_recent=True) == [1, 2]
    assert looked((0.0, 1), is_recent=False) == [1]


def test_a_beat_that_moves_lives_whatever_the_pulse_says() -> None:
    assert looked((0.0, 1), (5.0, 2), is_recent=False) == [1, 2]


def test_a_beat_that_stands_still_for_three_looks_lives_no_more() -> None:
    assert looked((0.0, 1), (5.0, 2), (10.0, 2), (15.0, 2), (20.0, 2), is_recent=True) == [1, 2]
    assert looked((0.0, 1), (5.0, 2), (10.0, 2), (15.0, 2), (20.1, 2), is_recent=True) == [1]


def test_a_beat_that_moved_since_a_look_long_ago_says_nothing() -> None:
    assert looked((0.0, 1), (60.0, 9), is_recent=False) == [1]
    assert looked((0.0, 1), (60.0, 9), is_recent=True) == [1, 2]


def test_a_holder_without_a_row_is_asked_for_once() -> None:
    nodes = Nodes()
    assert not nodes.are_known({1}, 0.0)
    nodes.look({1: OTHER}, 0.0, {1, 3})

    assert nodes.are_known({1, 3}, 59.0)
    assert not nodes.are_known({1, 4}, 59.0)
    assert not nodes.are_known({1}, 60.0)
    assert nodes.label(3) == "a node without a row"

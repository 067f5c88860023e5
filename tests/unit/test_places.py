"""A cap on all processes together: a slot beyond it waits and says why, and gets the next place that is free."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.node import Node
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.waiting import explain
from workerd.wire.words import State

MOST = 3
FULL = "waiting for a place: 3 processes of jobs run, as many as MAX_PROCESSES allows"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path, max_processes=MOST)
    node.start()
    yield node
    node.close()


@pytest.fixture
def slots(node: Node) -> list[LiveSlot]:
    """The slots of two jobs, one more in all than there are places for."""
    found = [node.add_job(name, processes=2, backoff_initial=5.0) for name in ("feed", "mail")]
    node.settle()
    return [node.slot(slot.spec.name, index) for slot in found for index in range(2)]


def states(slots: list[LiveSlot]) -> list[State]:
    return [slot.state for slot in slots]


def test_a_slot_beyond_the_cap_waits_and_says_why_and_the_daemon_s_own_do_not_count(
    node: Node, slots: list[LiveSlot]
) -> None:
    assert states(slots) == [State.RUNNING] * MOST + [State.STARTING]
    assert explain(slots[-1]) == FULL
    assert slots[-1].started_once
    assert node.parts.ledger.slot.is_running


def test_a_place_that_is_free_goes_to_who_waits(node: Node, slots: list[LiveSlot]) -> None:
    node.parts.lifecycle.want(slots[0], False)
    node.end_child(slots[0], signal=signal.SIGTERM)
    node.settle()

    assert states(slots) == [State.STOPPED] + [State.RUNNING] * MOST


def test_a_restart_keeps_its_place(node: Node, slots: list[LiveSlot]) -> None:
    node.end_child(slots[0], code=1)  # the first failure of a healthy life
    node.settle()

    assert states(slots) == [State.RUNNING] * MOST + [State.STARTING]
    assert slots[0].restarts == 1


def test_who_waits_and_is_wanted_no_more_leaves_the_line(node: Node, slots: list[LiveSlot]) -> None:
    node.parts.lifecycle.want(slots[-1], False)
    node.parts.lifecycle.want(slots[0], False)
    node.end_child(slots[0], signal=signal.SIGTERM)
    node.settle()

    assert states(slots) == [State.STOPPED] + [State.RUNNING] * (MOST - 1) + [State.STOPPED]

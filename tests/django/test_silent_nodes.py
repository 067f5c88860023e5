"""Nodes that are not heard of any more, as a ledger tells its daemon."""

import uuid
from datetime import timedelta

import pytest

from workerd.ledger.fleet_size import FleetSize
from workerd.ledger.silent_nodes import GONE_AFTER, LOOK_SECONDS, MOST_TOLD, SILENT_AFTER, SilentNodes
from workerd.models import Node
from workerd.models.clock import DatabaseNow
from workerd.wire.messages import Message, NodesSilent

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def add(host: str, ago: timedelta, *, left: bool = False) -> Node:
    """Make a node that was last heard of so long ago, by the database's clock."""
    node = Node.objects.create(name="shop", host=host, life=None if left else uuid.uuid4())
    Node.objects.filter(pk=node.pk).update(pulse=DatabaseNow() - ago)
    return node


class Told:
    """What a ledger tells, from look to look."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._silent = SilentNodes("default", self.messages.append, FleetSize())
        self._now = 1000.0

    def look(self) -> list[Message]:
        """Let it be time for a look; return what it told."""
        self.messages.clear()
        self._now += LOOK_SECONDS
        self._silent.look(self._now)
        return self.messages[:]


def test_a_node_that_has_not_left_is_silent_until_it_is_heard_of() -> None:
    add("well", SECOND)
    add("left", SILENT_AFTER * 2, left=True)
    silent = add("web2", SILENT_AFTER + SECOND)
    told = Told()

    assert told.look() == [NodesSilent(["shop@web2"])]
    assert told.look() == []
    Node.objects.filter(pk=silent.pk).update(pulse=DatabaseNow())
    assert told.look() == [NodesSilent([])]


def test_a_node_that_went_long_ago_is_not_told_of() -> None:
    add("old-container", GONE_AFTER + SECOND)

    assert Told().look() == [NodesSilent([])]


def test_a_message_has_a_bound() -> None:
    for number in range(MOST_TOLD + 5):
        add(f"web{number}", SILENT_AFTER * 2)
    (message,) = Told().look()

    assert isinstance(message, NodesSilent)
    assert len(message.nodes) == MOST_TOLD

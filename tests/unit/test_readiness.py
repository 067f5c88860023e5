"""The daemon is ready when every wanted slot was started once, or when the database that names them is out."""

import pytest

from tests.harness.node import Node
from workerd.daemon.node.readiness import Readiness
from workerd.wire.messages import DatabaseLost, JobChanged, JobsListed
from workerd.wire.spec import JobSpec


@pytest.fixture
def readiness(node: Node) -> Readiness:
    readiness = Readiness(node.parts)
    node.start()
    node.parts.loop.at_turn_end(readiness.look)
    return readiness


def test_it_is_not_ready_before_every_job_is_known(node: Node, readiness: Readiness) -> None:
    node.tell(JobChanged(JobSpec("feed").to_dict()))
    node.settle()
    before = readiness.reached
    node.tell(JobsListed(1))

    assert (before, readiness.reached) == (False, True)


def test_it_is_not_ready_before_every_wanted_slot_was_started_once(node: Node, readiness: Readiness) -> None:
    node.tell(JobChanged(JobSpec("feed").to_dict()), JobsListed(1))
    before = readiness.reached
    node.settle()

    assert (before, readiness.reached) == (False, True)


def test_a_job_that_crashes_at_its_start_holds_nothing_up(node: Node, readiness: Readiness) -> None:
    node.tell(JobChanged(JobSpec("feed").to_dict()), JobsListed(1))
    node.bear()
    node.end_child(node.slot("feed"), code=1)

    assert readiness.reached


def test_a_disabled_job_holds_nothing_up(node: Node, readiness: Readiness) -> None:
    node.tell(JobChanged(JobSpec("feed", enabled=False).to_dict()), JobsListed(1))

    assert node.lines.of("daemon.ready") == [{"slots": 0, "seconds": 0.0}]


def test_without_a_database_it_is_ready_nevertheless(node: Node, readiness: Readiness) -> None:
    node.clock.advance(2.5)
    node.tell(DatabaseLost("connection refused"))

    assert node.lines.of("daemon.ready") == [{"slots": 0, "seconds": 2.5}]


def test_it_is_said_once(node: Node, readiness: Readiness) -> None:
    node.tell(JobsListed(0))
    node.tell(JobChanged(JobSpec("feed").to_dict()), JobsListed(1))
    node.settle()

    assert len(node.lines.of("daemon.ready")) == 1

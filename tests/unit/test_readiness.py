"""The daemon is ready when every wanted slot was started once, or when the database that names them is out."""

from unittest.mock import patch

import pytest

from tests.harness.node import Node
from workerd.daemon.node.readiness import MARGIN_S, Readiness
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


def test_the_service_manager_waits_as_long_as_a_slot_may_wait_for_others(node: Node, readiness: Readiness) -> None:
    said: list[float] = []
    bridge, web = JobSpec("bridge", start_timeout=300.0), JobSpec("web", starts_after=["bridge"])
    with patch.object(node.parts.sd_notifier, "starting", said.append):
        node.tell(JobChanged(web.to_dict()), JobChanged(bridge.to_dict()), JobsListed(2))
        node.settle()
        asked, reached = list(said), readiness.reached
        late = JobSpec("late", starts_after=["other"])
        node.tell(JobChanged(late.to_dict()), JobChanged(bridge._replace(name="other").to_dict()), JobsListed(4))

    assert set(asked) == {300.0 + MARGIN_S}
    assert reached
    assert said == asked

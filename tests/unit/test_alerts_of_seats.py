"""Alerts about the fleet's seats: one that the node has lost, and one that no node takes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.test_seats import JOB_ID, FleetNode
from workerd.daemon.node.alerts import Alerts
from workerd.daemon.node.node_alerts import LOOK_S
from workerd.daemon.node.readiness import Readiness
from workerd.wire.config import AlertTimes
from workerd.wire.lease import longest_gap
from workerd.wire.messages import AlertChanged, JobChanged, JobRefused, SeatsElsewhere
from workerd.wire.words import Elsewhere


class AlertedFleetNode(FleetNode):
    """A node of a fleet with a notifier."""

    def begin_alerts(self) -> None:
        alerts = Alerts(self.parts, Readiness(self.parts))
        alerts.start()
        self.parts.loop.at_turn_end(alerts.flush)

    def told(self) -> list[tuple[str, bool]]:
        """Return key and end of all that the notifier was sent."""
        self.turn()
        notifier = self.child_in(self.slot("workerd.notifier"))
        notifier.hear()
        return [(message.key, message.over) for message in notifier.messages if isinstance(message, AlertChanged)]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[AlertedFleetNode]:
    node = AlertedFleetNode(tmp_path, alerts=AlertTimes())
    node.begin_alerts()
    yield node
    node.close()


def test_a_seat_that_the_database_gave_away_is_lost_and_one_given_up_is_not(node: AlertedFleetNode) -> None:
    slot = node.begin()
    node.hold(0)
    node.go_on(1)
    node.hold()

    assert node.told() == [("seat_lost feed:0", False)]

    node.end(slot, code=0)
    node.go_on(1)
    node.hold(0, token=200)
    node.parts.fleet.drain("drained by ana")
    node.end(slot, code=0)
    node.go_on(1)
    node.hold()
    assert len(node.told()) == 1


@pytest.mark.parametrize("why", [Elsewhere.FREE, Elsewhere.NOWHERE])
def test_a_seat_that_nobody_takes_is_told_after_its_time_until_one_has_it(
    node: AlertedFleetNode, why: Elsewhere
) -> None:
    """Its key names no node: each of them sees the same, also where none has the labels that the job asks for."""
    slot = node.begin()
    node.tell(SeatsElsewhere([[JOB_ID, 0, "no node may run it", why]]))
    node.go_on(LOOK_S * 2)
    early = node.told()
    node.go_on(longest_gap(slot.spec.takeover_after) + LOOK_S)
    raised = node.told()
    node.tell(SeatsElsewhere([[JOB_ID, 0, "web2 has it", Elsewhere.HELD]]))
    node.go_on(LOOK_S)

    assert (early, raised) == ([], [("seat_untaken feed:0", False)])
    assert node.told()[1:] == [("seat_untaken feed:0", True)]


def test_a_job_that_this_node_cannot_run_and_no_other_runs_is_told_until_one_does(node: AlertedFleetNode) -> None:
    slot = node.begin()
    node.tell(JobRefused(slot.spec.to_dict(), "its target is not allowed"))
    node.go_on(longest_gap(slot.spec.takeover_after) + 2 * LOOK_S)
    raised = node.told()
    node.tell(JobChanged(slot.spec.to_dict()))
    node.hold(0)
    node.go_on(LOOK_S)

    assert raised == [("seat_untaken feed:0", False)]
    assert node.told()[1:] == [("seat_untaken feed:0", True)]


@pytest.mark.parametrize("why", [Elsewhere.UNFIT, Elsewhere.HELD])
def test_what_another_node_runs_or_may_run_is_left_to_that_one(node: AlertedFleetNode, why: Elsewhere) -> None:
    slot = node.begin()
    node.tell(SeatsElsewhere([[JOB_ID, 0, "it was stopped in the fleet by ann", why]]))
    node.go_on(longest_gap(slot.spec.takeover_after) + 2 * LOOK_S)

    assert node.told() == []

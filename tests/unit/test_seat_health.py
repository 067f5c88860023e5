"""The observer's answer at ``/readyz``, and the lines of ``status``, about seats of the fleet that no node has."""

from typing import Any

import pytest

from tests.harness.node import Node
from workerd.daemon.node.observer import Counters
from workerd.management.status_table import format_status
from workerd.observer.answers import ready
from workerd.observer.metrics import render
from workerd.wire import lease
from workerd.wire.messages import JobsListed, SeatsElsewhere
from workerd.wire.words import Elsewhere, Scope

from .test_status import status_of

JOB_ID = 7
F = 30.0
TOO_LONG = lease.longest_gap(F) + 1.0


class Watched:
    """A node that may run a job of the fleet, and what an observer makes of it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.status, _, readiness = status_of(node)
        node.start()
        node.tell(JobsListed(0))
        node.add_job("feed", id=JOB_ID, scope=Scope.FLEET, processes=2)
        node.settle()
        readiness.look()

    def say(self, index: int, reason: str, who: Elsewhere) -> None:
        """Have the ledger say who has a seat of the job."""
        self.node.tell(SeatsElsewhere([[JOB_ID, index, reason, who]]))

    def wait(self, seconds: float) -> None:
        while seconds > 0:
            self.node.ledger.page.beat()
            self.node.pass_time(min(seconds, F / 3))
            seconds -= F / 3

    def picture(self) -> dict[str, Any]:
        return self.status.snapshot()

    def health(self) -> tuple[int, str]:
        answer = ready(lambda _verb: self.picture())
        return answer.status, answer.body.decode()


@pytest.fixture
def watched(node: Node) -> Watched:
    return Watched(node)


def test_a_seat_that_no_node_holds_makes_a_node_unready_which_may_take_it(watched: Watched) -> None:
    watched.say(0, "another node has it: web@b", Elsewhere.HELD)
    watched.say(1, "web@b is to take it", Elsewhere.FREE)
    assert watched.health() == (200, "ok\n")
    watched.wait(TOO_LONG)

    assert watched.health() == (503, "no node runs feed:1: web@b is to take it\n")
    assert "fleet: no node runs feed:1: web@b is to take it" in format_status(watched.picture()).splitlines()


def test_the_metrics_count_the_seats_that_no_node_holds(node: Node, watched: Watched) -> None:
    watched.status, _, _ = status_of(node, Counters())
    watched.say(1, "web@b is to take it", Elsewhere.FREE)
    before = render(watched.picture()).decode()
    watched.wait(TOO_LONG)

    assert '\nworkerd_seats_untaken{job="feed"} 0.0\n' in before
    assert '\nworkerd_seats_untaken{job="feed"} 1.0\n' in render(watched.picture()).decode()


def test_each_seat_has_a_line_of_its_own(watched: Watched) -> None:
    watched.say(0, "", Elsewhere.FREE)
    watched.say(1, "web@b is to take it", Elsewhere.FREE)
    watched.wait(TOO_LONG)

    assert watched.health()[1].splitlines() == [
        "no node runs feed:0: no node has its seat",
        "no node runs feed:1: web@b is to take it",
    ]


def test_the_node_is_ready_again_as_soon_as_another_has_it(watched: Watched) -> None:
    watched.say(1, "web@b is to take it", Elsewhere.FREE)
    watched.wait(TOO_LONG)
    watched.say(1, "another node has it: web@b", Elsewhere.HELD)

    assert watched.health() == (200, "ok\n")


def test_a_seat_that_this_node_may_not_have_is_no_reason(watched: Watched) -> None:
    watched.say(1, "needs zone=a", Elsewhere.UNFIT)
    watched.wait(TOO_LONG)

    assert watched.health() == (200, "ok\n")


def test_a_daemon_of_an_older_version_does_not_tell(watched: Watched) -> None:
    picture = watched.picture()
    del picture["daemon"]["unheld"]

    assert ready(lambda _verb: picture).status == 200

"""Clocks that run at other rates: the lease allows for a hundredth, and a witness sees it where they differ by more."""

from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import Databases
from tests.process.conftest import template  # noqa: F401 - a fixture
from workerd.wire.lease import RATE_BOUND, boot_time

from .fleet import READY_WITHIN_S, SLACK_S, F, Fleet, R, need, opened

pytestmark = pytest.mark.slow
FAR_OFF = 0.4
"""At 0.8 and 1.2 the clocks decide, but so does when the looks happen to be; at 0.6 and 1.4 the clocks alone do."""


@pytest.fixture(scope="module")
def nodes(
    template: str,  # noqa: F811
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Fleet]:
    """Two nodes, of which the first one's clock is slow, and the other one's fast."""
    need(databases)
    with django_db_blocker.unblock(), opened(template, databases, tmp_path_factory.mktemp("fleet"), 2) as fleet:
        for node in fleet.nodes:
            node.set_up_clock()
        if not fleet.nodes[0].clock.works:
            pytest.skip("there is no C compiler")
        yield fleet


def _overlaps(fleet: Fleet, off: float) -> list[str]:
    """Cut off the slow one while it holds a seat, and return the overlaps when the fast one has taken over."""
    slow, fast = fleet.nodes
    name = f"off-{off:g}".replace(".", "-")
    seat = f"{name}:0"
    for node, rate in ((slow, 1 - off), (fast, 1 + off)):
        node.clock.set_boot_rate(rate)
        node.start(ready=False)
        node.wait_event("daemon.ready", within=READY_WITHIN_S)
        if node is slow:
            fleet.add(name, "deaf", stop_timeout=F / 3)
            before = fleet.wait_running(seat, 60)
    fleet.pass_until(boot_time() + 2 * R)
    slow.cut()
    fleet.wait_running(seat, (F + 2 * R) / (1 - off) + SLACK_S, since=boot_time() + 1)
    assert before.node == slow.host
    fleet.wait_silent_on(slow.host, 2 * F)
    for node in fleet.nodes:
        node.end()
    fleet.project.jobs.all().delete()
    return [text for text in fleet.witnesses.overlaps() if text.startswith(seat)]


def test_clocks_within_the_bound_let_no_two_processes_run(nodes: Fleet) -> None:
    """Case 16: 0.99 and 1.01."""
    assert _overlaps(nodes, RATE_BOUND) == []


def test_clocks_far_beyond_it_do_and_the_witnesses_show_it(nodes: Fleet) -> None:
    """Case 16: this is how the other tests of the fleet would fail."""
    assert _overlaps(nodes, FAR_OFF)

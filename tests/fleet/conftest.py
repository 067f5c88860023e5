"""Fixtures of the fleet's tests: three nodes that stay for all tests of a file, healthy at the begin of each."""

from collections.abc import Generator, Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import Databases
from tests.process.conftest import template  # noqa: F401 - a fixture

from .fleet import Fleet, need, opened

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nodes(
    template: str,  # noqa: F811
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Fleet]:
    need(databases)
    with django_db_blocker.unblock(), opened(template, databases, tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


@pytest.fixture
def fleet(nodes: Fleet) -> Iterator[Fleet]:
    """All nodes run and no job is left of other tests; at the end no two processes of a seat have run at once."""
    nodes.start()
    yield nodes
    for node in nodes.nodes:
        node.heal()
    nodes.no_overlap()
    nodes.remove_all()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the daemons said."""
    report = yield
    fleet = getattr(item, "funcargs", {}).get("nodes")
    if report.failed and isinstance(fleet, Fleet):
        report.sections.append(("the nodes' logs", fleet.report()))
    return report

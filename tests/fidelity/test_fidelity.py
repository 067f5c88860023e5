"""Each command does under workerd what it does plainly: same work, same end, same words, same remains."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.harness.daemon import Daemon

from .case import load, names
from .comparison import Comparison
from .environment import python_for, version_in
from .run import run_plain, run_under
from .stage import Stage

CHOSEN = os.environ.get("WORKERD_TEST_FIDELITY") or "quick"
"""“quick”, “all”, or names of cases with commas between them."""
pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]


def chosen() -> list[str]:
    if CHOSEN not in ("quick", "all"):
        return CHOSEN.split(",")
    return [name for name in names() if CHOSEN == "all" or load(name).quick]


@pytest.mark.parametrize("name", chosen())
def test_a_command_does_under_workerd_what_it_does_plainly(
    name: str,
    new_stage: Callable[[str, str], AbstractContextManager[Stage]],
    record_property: Callable[[str, object], None],
) -> None:
    case = load(name)
    if case.cannot:
        pytest.skip(case.cannot)
    with new_stage(name, "term") as stage:
        term = run_plain(stage)
    interrupt = None
    if term.exit == "SIGTERM":
        with new_stage(name, "interrupt") as stage:
            interrupt = run_plain(stage, signal.SIGINT)
    with new_stage(name, "under") as stage, watched(Daemon(stage.project)) as daemon:
        under = run_under(stage, daemon)

    seen = Comparison(name, case, version_in(python_for(name, case), case.package), term, interrupt, under)
    record_property("fidelity", seen)
    assert set(seen.differences()) == set(case.differs), seen.report()


@contextlib.contextmanager
def watched(daemon: Daemon) -> Iterator[Daemon]:
    """Show the daemon's log where the run fails, and leave nothing of it."""
    try:
        yield daemon
    except BaseException:
        print(daemon.report())
        raise
    finally:
        daemon.clean_up()

"""The alert about the ledger, with a daemon of its own: what is said once is quiet for the next of its kind."""

import os
import signal
from contextlib import suppress

import pytest

from tests.harness.alerted import Alerted, receiving
from tests.harness.daemon import running
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]


def test_a_ledger_that_does_not_stay(project: Project) -> None:
    """A busy machine adds matters of the kind: a ledger that was late at the start, one that ran between two kills."""
    with receiving(project, ALERT_OUT_SECONDS=1, ALERT_QUIET_SECONDS=0) as (hook, box), running(project) as daemon:
        alerted = Alerted(project, daemon, hook, box)
        earlier = {post.json["id"] for post in alerted.posts("ledger_lost")}

        def kill_it() -> bool:
            if pid := daemon.slot("workerd.ledger")["pid"]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not earlier.issuperset(post.json["id"] for post in alerted.posts("ledger_lost", "raised"))

        eventually(kill_it, 60, "an alert about the ledger")

        alerted.assert_each_told_once("ledger_lost")

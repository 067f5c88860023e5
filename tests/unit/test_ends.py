"""How the runs of each job ended, and what else of a daemon's parts its metrics tell."""

from typing import Any

import pytest

from tests.harness.node import Node
from workerd.daemon.io.log import EventLog
from workerd.daemon.node.observer import Counters
from workerd.daemon.node.reloading import Reloading
from workerd.daemon.node.shutdown import Shutdown
from workerd.daemon.node.status import Status
from workerd.daemon.processes.oom import OomCounter
from workerd.observer.metrics import render
from workerd.wire.messages import DatabaseConnected, JobsListed

from .test_status import status_of


class Watched:
    """A node with one job, and its metrics."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.status, _, _ = status_of(node, Counters())
        node.start()
        node.settle()
        node.tell(DatabaseConnected("sqlite", "3"), JobsListed(0))
        self.add_job("feed")

    def add_job(self, name: str, **fields: Any) -> None:
        self.node.add_job(name, start_grace=0.1, **{"backoff_initial": 0.0, **fields})
        self.node.settle()
        self.node.pass_time(1.0)

    def end(self, **how: int | None) -> None:
        """End the job's run, and have the next one begin."""
        self.node.end_child(self.node.slot("feed"), **how)
        self.begin()

    def begin(self) -> None:
        """Have a run begin, and last for a while."""
        for _ in range(1000):
            if self.node.slot("feed").is_running:
                break
            self.node.pass_time(0.25)
            self.node.settle()
        self.node.pass_time(1.0)

    def metric(self, name: str) -> float | None:
        text = render(self.status.snapshot()).decode()
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} ")), None)


@pytest.fixture
def watched(node: Node) -> Watched:
    return Watched(node)


def test_runs_are_counted_by_job_and_outcome_and_those_that_rules_wait_for_from_nought(watched: Watched) -> None:
    before = watched.metric('workerd_exits_total{job="feed",outcome="hung"}')
    for _ in range(2):
        watched.end(code=0)
    watched.end(code=1)

    assert before == 0
    assert watched.metric('workerd_exits_total{job="feed",outcome="finished"}') == 2
    assert watched.metric('workerd_exits_total{job="feed",outcome="error"}') == 1
    assert watched.metric('workerd_exits_total{job="feed",outcome="hung"}') == 0


def test_a_kill_by_the_kernel_for_want_of_memory_is_counted(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.end(signal=9)
    monkeypatch.setattr(OomCounter, "has_risen", lambda _self: True)
    watched.end(signal=9)

    assert watched.metric('workerd_oom_kills_total{job="feed"}') == 1
    assert watched.metric('workerd_exits_total{job="feed",outcome="crashed"}') == 2


def test_what_a_job_logs_raises_no_count_of_its_ends(watched: Watched) -> None:
    log: EventLog = watched.node.parts.log
    log.emit("child.exited", job="feed", slot="feed", outcome="hung", seconds=1.0)

    assert watched.metric('workerd_exits_total{job="feed",outcome="hung"}') == 0


def test_the_counts_of_a_job_go_with_its_row_also_where_nobody_asks_for_them(watched: Watched) -> None:
    watched.end(code=1)
    watched.node.parts.slot_set.apply("feed", None)
    watched.node.end_child(watched.node.slot("feed"), code=0)
    watched.node.settle()
    watched.add_job("other", restart="never")
    watched.node.end_child(watched.node.slot("other"), code=0)
    watched.node.settle()
    counts = watched.node.parts.ends._outcomes

    assert {job for job, _ in counts} == {"other"}


def test_a_significant_slot_that_fails_is_down_until_it_runs(watched: Watched) -> None:
    down = 'workerd_slots_down{job="feed",significant="true"}'
    watched.add_job("feed", significant=True, backoff_initial=60.0, backoff_max=60.0)
    before = watched.metric(down)
    for _ in range(2):  # the first failure of a run that was well is tried again at once
        watched.node.end_child(watched.node.slot("feed"), code=1)
        watched.node.settle()
    failed = watched.metric(down)
    watched.begin()

    assert (before, failed, watched.metric(down)) == (0, 1, 0)


def test_code_that_is_rejected_is_told_until_better_code_is_loaded(node: Node) -> None:
    shutdown = Shutdown(node.parts)
    reloading = Reloading(node.parts, shutdown)
    watched = Watched(node)
    status: Status = watched.status
    status._reloading = reloading
    reloading.ask(lambda _answer: None)
    before = watched.metric("workerd_generation_rejected")
    node.forkserver.reject("SyntaxError: never closed")
    node.turn()
    rejected = watched.metric("workerd_generation_rejected")
    reloading.ask(lambda _answer: None)
    node.forkserver.become_ready()
    node.turn()

    assert (before, rejected, watched.metric("workerd_generation_rejected")) == (0, 1, 0)

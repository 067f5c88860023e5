"""What the daemon raises as an alert, and when that is over, from slots, code, ledger, database and fleet."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness.node import FakeChild, Node
from workerd.daemon.node.alerts import Alerts
from workerd.daemon.node.readiness import Readiness
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.alerts import ALERT_KINDS
from workerd.wire.config import AlertTimes
from workerd.wire.messages import (
    AlertChanged,
    AlertsKept,
    AlertsListed,
    AlertsUnsent,
    BecameReady,
    DatabaseConnected,
    DatabaseLost,
    DatabaseRecovered,
    JobsListed,
    Loaded,
    NodesSilent,
    Refused,
    Waiting,
)
from workerd.wire.words import Outcome

TIMES = AlertTimes(down_s=20.0, out_s=10.0, circle_ends=3, circle_s=60.0)


class Alerted:
    """A node with a notifier; the test reads what that is sent."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._seen = 0
        self.readiness = Readiness(node.parts)
        self.alerts = Alerts(node.parts, self.readiness)
        self.alerts.start()
        node.parts.loop.at_turn_end(self.alerts.flush)
        node.start()

    @property
    def notifier(self) -> FakeChild:
        return self.node.child_in(self.node.slot("workerd.notifier"))

    def told(self) -> list[AlertChanged]:
        """Return what the notifier was sent since the last look; it has kept that."""
        self.node.turn()
        self.notifier.hear()
        changes = [message for message in self.notifier.messages if isinstance(message, AlertChanged)]
        new = changes[self._seen :]
        self._seen = len(changes)
        if new:
            self.notifier.say(AlertsKept(new[-1].sequence))
            self.node.turn()
        return new

    def changes(self) -> list[tuple[str, bool]]:
        """Return key and end of each."""
        return [(message.key, message.over) for message in self.told()]

    def restarted(self) -> None:
        """Read a new notifier from its first message on."""
        self._seen = 0

    def become_ready(self, *slots: LiveSlot) -> None:
        """Have the daemon know all jobs, and say that it is ready."""
        self.node.tell(JobsListed(len(slots)))
        self.readiness.look()
        self.node.turn()


@pytest.fixture
def alerted(new_node: Callable[..., Node]) -> Iterator[Alerted]:
    alerted = Alerted(new_node(alerts=TIMES))
    yield alerted
    assert alerted.node.lines.of("daemon.degraded") == []


def end(alerted: Alerted, slot: LiveSlot, code: int | None = None, by: int | None = None) -> None:
    """Have the slot's process end by itself; its successor becomes ready."""
    alerted.node.end_child(slot, code=code, signal=by)
    run(alerted)


def run(alerted: Alerted) -> None:
    """Have every slot's process become ready, also one that is started again after a delay."""
    for _ in range(2):
        alerted.node.go_on(2.0)
        alerted.node.settle()
    alerted.node.go_on(2.0)


def test_a_parked_slot_is_told_with_its_reason_until_it_is_resumed(alerted: Alerted) -> None:
    feed = alerted.node.add_job("feed", start_grace=0.1, labels="team=billing")
    run(alerted)
    alerted.told()
    alerted.node.child_in(feed).say(Refused("no such table", "no such table"))
    alerted.node.turn()
    alerted.node.end_child(feed, code=78)

    (raised,) = alerted.told()
    assert (raised.kind, raised.over, raised.job, raised.slot) == ("parked", False, "feed", "feed")
    assert "no such table" in raised.text
    assert raised.labels == {"team": "billing"}

    alerted.node.parts.slot_set.apply("feed", None)
    alerted.node.turn()
    assert alerted.changes() == [("parked feed:0", True)]


def test_a_hang_is_over_when_the_next_process_is_ready(alerted: Alerted) -> None:
    feed = alerted.node.add_job("feed", start_grace=0.1)
    run(alerted)
    assert feed.child is not None
    feed.child.set_verdict(Outcome.HUNG, "no beat for 60 s")
    alerted.node.end_child(feed, signal=signal.SIGKILL)
    raised = alerted.changes()
    run(alerted)

    assert raised == [("hung feed:0", False)]
    assert alerted.changes() == [("hung feed:0", True)]


def test_memory_above_the_limit_is_told_and_a_crash_is_not(alerted: Alerted) -> None:
    feed = alerted.node.add_job("feed", start_grace=0.1)
    run(alerted)
    end(alerted, feed, by=signal.SIGSEGV)
    assert alerted.changes() == []

    assert feed.child is not None
    feed.child.set_verdict(Outcome.OVER_MEMORY, "300 MiB")
    end(alerted, feed, by=signal.SIGTERM)
    assert alerted.changes() == [("out_of_memory feed:0", False), ("out_of_memory feed:0", True)]


def test_ends_in_a_circle_are_told_once_and_are_over_after_a_calm_time(alerted: Alerted) -> None:
    feed = alerted.node.add_job("feed", restart="always", backoff_max=1.0, start_grace=0.1)
    run(alerted)
    for _ in range(5):
        end(alerted, feed, code=0)
    raised = alerted.changes()
    alerted.node.go_on(TIMES.circle_s + 1)

    assert raised == [("circle feed:0", False)]
    assert alerted.changes() == [("circle feed:0", True)]


def test_a_significant_job_that_does_not_run_is_told_after_its_time_alone(alerted: Alerted) -> None:
    node = alerted.node
    feed, other = node.add_job("feed", significant=True), node.add_job("other")
    node.bear()
    alerted.node.go_on(TIMES.down_s - 1)
    before = alerted.changes()
    alerted.node.go_on(2)
    raised = alerted.changes()
    for slot in (feed, other):
        node.child_in(slot).say(Loaded())
        node.child_in(slot).say(BecameReady())
    node.turn()

    assert (before, raised) == ([], [("down feed:0", False)])
    assert alerted.changes() == [("down feed:0", True)]


def test_a_database_out_for_longer_bears_one_key_on_each_node(alerted: Alerted) -> None:
    node = alerted.node
    node.tell(DatabaseConnected("sqlite", "3"), DatabaseLost("gone: password=x", "gone"))
    alerted.node.go_on(TIMES.out_s - 1)
    before = alerted.changes()
    alerted.node.go_on(2)
    (raised,) = alerted.told()
    node.tell(DatabaseRecovered(0))

    assert (before, raised.key, raised.over) == ([], "database_out", False)
    assert ("password=x" in raised.text, "password=x" in raised.public) == (True, False)
    assert alerted.changes() == [("database_out", True)]


def test_a_short_outage_is_none(alerted: Alerted) -> None:
    alerted.node.tell(DatabaseConnected("sqlite", "3"), DatabaseLost("gone"))
    alerted.node.go_on(TIMES.out_s / 2)
    alerted.node.tell(DatabaseRecovered(0))
    alerted.node.go_on(TIMES.out_s * 2)

    assert alerted.changes() == []


def test_a_ledger_that_does_not_come_back_is_told(alerted: Alerted) -> None:
    node, ledger = alerted.node, alerted.node.parts.ledger.slot
    node.end_child(ledger, code=1)
    alerted.node.go_on(TIMES.out_s + 1)
    raised = alerted.changes()
    run(alerted)

    assert raised == [("ledger_lost", False)]
    assert alerted.changes() == [("ledger_lost", True)]


def test_records_that_were_set_aside_are_told_until_there_are_none(alerted: Alerted) -> None:
    alerted.node.tell(Waiting(0, 2), Waiting(0, 3))
    raised = alerted.changes()
    alerted.node.tell(Waiting(0, 0))

    assert raised == [("set_aside", False)]
    assert alerted.changes() == [("set_aside", True)]


def test_code_that_does_not_load_is_told_until_some_does(alerted: Alerted) -> None:
    node = alerted.node
    node.parts.generations.reload(lambda _: None)
    node.forkserver.reject("SyntaxError: invalid syntax", "Traceback …")
    node.turn()
    (raised,) = alerted.told()
    node.parts.generations.reload(lambda _: None)
    node.forkserver.become_ready()
    node.turn()

    assert (raised.key, raised.text) == ("rejected", "SyntaxError: invalid syntax")
    assert alerted.changes() == [("rejected", True)]


MINUTELY: dict[str, Any] = {"schedule": "every 1 min", "time_zone": "UTC", "max_restarts": 0, "start_grace": 0.1}
"""The clock of the tests is 20 s past a minute at first."""


def come_due(alerted: Alerted, slot: LiveSlot) -> None:
    """Let time pass until a run of the slot has begun and is ready."""
    for _ in range(80):
        if slot.is_running:
            return
        alerted.node.go_on(1.0)
        alerted.node.settle()
    pytest.fail(f"it is {slot.state}: {slot.reason}")


def test_a_scheduled_run_that_failed_is_told_until_one_finishes(alerted: Alerted) -> None:
    """What an earlier daemon has said is over with the first success, which is said once."""
    alerted.node.settle()
    alerted.node.tell(JobsListed(0))
    report = alerted.node.add_job("report", **MINUTELY, restart="on_failure")
    come_due(alerted, report)
    alerted.node.end_child(report, code=0)
    first = alerted.changes()
    come_due(alerted, report)
    alerted.node.end_child(report, code=3)
    raised = alerted.told()
    come_due(alerted, report)
    alerted.node.end_child(report, code=0)
    over = alerted.changes()
    come_due(alerted, report)
    alerted.node.end_child(report, code=0)

    both = [("missed report:0", True), ("failed report:0", True)]
    assert first == both
    assert [(message.key, message.over) for message in raised] == [("failed report:0", False)]
    assert "exit code 3" in raised[0].text
    assert over == both[1:]
    assert alerted.changes() == []


def test_a_time_that_nothing_ran_at_is_told_with_the_reason(alerted: Alerted) -> None:
    node = alerted.node
    node.settle()
    node.tell(JobsListed(0))
    report = node.add_job("report", **MINUTELY, start_within=5.0)
    node.end_forkserver(node.forkserver, code=1)
    alerted.told()
    for _ in range(20):
        node.go_on(5.0)
    missed = [message for message in alerted.told() if message.kind == "missed"]

    assert [(message.key, message.over) for message in missed] == [("missed report:0", False)]
    assert "nothing ran at its time: " in missed[0].text
    assert report.dues is not None


def test_a_rollout_that_was_halted_is_told_until_one_ends(alerted: Alerted) -> None:
    node = alerted.node
    node.parts.rollout.rows_are_judged = lambda: True
    node.parts.loop.at_turn_end(node.parts.rollout.go_on)
    node.settle()
    _load(alerted)
    node.end_child(node.slot("workerd.notifier"), code=0)
    run(alerted)
    alerted.restarted()
    node.parts.rollout._halt("feed failed: exit code 1")  # how a rollout is halted, test_rollout tells
    (raised,) = [message for message in alerted.told() if message.kind == "halted"]
    node.parts.rollout.insist()
    node.go_on(5.0)
    node.settle()

    assert "feed failed" in raised.text
    assert ("halted", True) in alerted.changes()


def test_the_notifier_moves_to_new_code_and_nothing_waits_for_it(alerted: Alerted) -> None:
    node, slot = alerted.node, alerted.node.slot("workerd.notifier")
    node.parts.rollout.rows_are_judged = lambda: True
    node.parts.loop.at_turn_end(node.parts.rollout.go_on)
    node.settle()
    _load(alerted)

    assert slot.is_stopping
    assert slot not in node.parts.rollout._moving


def _load(alerted: Alerted) -> None:
    """Load a generation, to which the ledger moves."""
    node = alerted.node
    node.parts.generations.reload(lambda _: None)
    node.forkserver.become_ready()
    node.turn()
    node.parts.rollout.start()
    node.turn()
    node.end_child(node.parts.ledger.slot, code=0)
    node.settle()


def test_a_silent_node_is_told_by_its_own_name_until_it_is_heard_of(alerted: Alerted) -> None:
    alerted.node.tell(NodesSilent(["shop@web2", "shop@web3"]))
    raised = alerted.changes()
    alerted.node.tell(NodesSilent(["shop@web3"]))

    assert sorted(raised) == [("node_silent shop@web2", False), ("node_silent shop@web3", False)]
    assert alerted.changes() == [("node_silent shop@web2", True)]


def test_nobody_but_the_ledger_says_who_is_silent(alerted: Alerted) -> None:
    feed = alerted.node.add_job("feed", start_grace=0.1)
    run(alerted)
    alerted.node.child_in(feed).say(NodesSilent(["shop@web2"]))
    alerted.node.child_in(feed).say(AlertsUnsent(7))
    alerted.node.child_in(feed).say(AlertsKept(99))
    alerted.node.turn()

    assert (alerted.changes(), alerted.alerts.unsent) == ([], 0)


def test_what_is_stopped_with_the_daemon_is_no_alert(alerted: Alerted) -> None:
    feed = alerted.node.add_job("feed", significant=True)
    alerted.node.settle()
    alerted.node.parts.lifecycle.stopping = "the daemon is shutting down"
    alerted.node.end_child(feed, code=78)
    alerted.node.go_on(TIMES.down_s * 2)

    assert alerted.changes() == []


def test_a_new_notifier_gets_what_was_not_kept_and_all_that_holds(alerted: Alerted) -> None:
    """Its journal may be new; that it knows all, it is told when the daemon is ready."""
    node = alerted.node
    node.tell(Waiting(0, 2))
    kept = alerted.changes()
    node.end_child(node.slot("workerd.notifier"), code=1)
    node.tell(NodesSilent(["shop@web2"]))
    unsent = alerted.alerts.unsent
    alerted.node.go_on(3)
    node.settle()
    before = [type(message) for message in alerted.notifier.messages]
    alerted.become_ready()
    messages = [*alerted.notifier.messages, *alerted.notifier.hear()]

    assert (kept, unsent) == ([("set_aside", False)], 1)
    assert alerted.notifier.licence.life == node.parts.identity.life
    changed = [message.key for message in messages if isinstance(message, AlertChanged)]
    assert changed == ["set_aside", "node_silent shop@web2"]
    assert AlertsListed not in before
    assert isinstance(messages[-1], AlertsListed)


def test_without_anybody_to_hear_there_is_no_notifier(node: Node) -> None:
    alerts = Alerts(node.parts, Readiness(node.parts))
    alerts.start()
    node.start()

    assert [slot.name for slot in node.parts.slot_set.builtins()] == ["workerd.ledger"]
    assert alerts.unsent is None


def test_what_is_raised_is_a_kind_that_exists(alerted: Alerted) -> None:
    """A kind that the table lacks would be an error of the daemon in the midst of a fault."""
    from workerd.daemon.slots.slot_alerts import KINDS

    assert set(KINDS) < ALERT_KINDS.keys()

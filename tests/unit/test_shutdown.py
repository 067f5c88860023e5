"""The end of a daemon: the jobs first, then the ledger, when it has everything, then the forkserver."""

import signal
from collections.abc import Callable

import pytest

from tests.harness.node import Node
from workerd.daemon.node.shutdown import DRAIN_PATIENCE_S, FORKSERVER_PATIENCE_S, REVIVALS, Shutdown
from workerd.daemon.slots.effects import KILL_PATIENCE_S
from workerd.wire import exit_codes
from workerd.wire.messages import Drain, Drained, Record, Refused
from workerd.wire.words import State


@pytest.fixture
def shutdown(node: Node) -> Shutdown:
    """The shutdown of a node that runs its ledger; it goes on at the end of each turn, as in the daemon."""
    return started(node)


def started(node: Node) -> Shutdown:
    shutdown = Shutdown(node.parts)
    node.start()
    node.parts.loop.at_turn_end(lambda: shutdown.go_on() if shutdown.begun else None)
    return shutdown


def end_jobs(node: Node) -> None:
    for slot in tuple(node.parts.slot_set.job_slots()):
        if slot.child is not None:
            node.end_child(slot, signal=signal.SIGTERM)
    node.turn()


def drain(node: Node) -> None:
    """Have the ledger write down everything, say so, and end."""
    node.acknowledge()
    node.tell(Drained(0))
    node.ledger.hear()


def has_stopped(node: Node) -> bool:
    return not node.parts.loop._running


def test_every_job_is_asked_to_stop_at_once(node: Node, shutdown: Shutdown) -> None:
    slots = [node.add_job("feed"), node.add_job("mail")]
    node.settle()
    shutdown.begin("SIGTERM")

    assert [node.signals_to(slot) for slot in slots] == [[signal.SIGTERM]] * 2
    assert node.lines.of("daemon.stopping") == [{"reason": "SIGTERM"}]


def test_a_second_request_kills_the_jobs_and_leaves_the_ledger_to_write_that_down(
    node: Node, shutdown: Shutdown
) -> None:
    slot = node.add_job()
    node.settle()
    shutdown.begin("SIGTERM")
    shutdown.begin("SIGINT")

    assert node.signals_to(slot) == [signal.SIGTERM, signal.SIGKILL]
    assert node.signals_to(node.parts.ledger.slot) == []
    assert [event["reason"] for event in node.lines.of("child.killed")] == ["a second SIGINT cut its stop short"]


def test_a_second_request_kills_the_ledger_when_the_jobs_are_gone(node: Node, shutdown: Shutdown) -> None:
    shutdown.begin("SIGTERM")
    node.turn()
    shutdown.begin("SIGTERM")

    assert node.signals_to(node.parts.ledger.slot) == [signal.SIGKILL]


def test_a_job_that_is_wanted_too_late_is_not_started(node: Node, shutdown: Shutdown) -> None:
    shutdown.begin("SIGTERM")

    assert node.add_job().state is State.STOPPED


def test_the_ledger_is_told_to_drain_when_the_last_job_has_ended(node: Node, shutdown: Shutdown) -> None:
    node.add_job()
    node.settle()
    shutdown.begin("SIGTERM")
    node.turn()
    early = Drain() in node.ledger.hear()
    end_jobs(node)

    assert not early
    assert isinstance(node.ledger.hear()[-1], Drain)


def test_the_ledger_goes_when_it_has_written_down_everything(node: Node, shutdown: Shutdown) -> None:
    node.add_job()
    node.settle()
    shutdown.begin("SIGTERM")
    end_jobs(node)
    early = node.ledger.at_end
    drain(node)

    assert (early, node.ledger.at_end) == (False, True)


def test_the_forkserver_goes_last_and_then_the_loop_stops(node: Node, shutdown: Shutdown) -> None:
    shutdown.begin("SIGTERM")
    node.turn()
    drain(node)
    node.forkserver.hear()
    early = node.forkserver.at_end
    node.end_child(node.parts.ledger.slot, code=0)
    node.forkserver.hear()
    assert (early, node.forkserver.at_end, has_stopped(node)) == (False, True, False)

    node.end_forkserver(node.forkserver, code=0)
    assert has_stopped(node)
    assert shutdown.exit_code == exit_codes.DONE


def test_a_forkserver_that_does_not_end_is_killed(node: Node, shutdown: Shutdown) -> None:
    shutdown.begin("SIGTERM")
    node.turn()
    drain(node)
    node.end_child(node.parts.ledger.slot, code=0)
    early = list(node.kernel.signals)
    node.pass_time(FORKSERVER_PATIENCE_S)

    assert (early, node.kernel.signals) == ([], [(node.forkserver.pid, signal.SIGKILL)])


def test_without_a_ledger_nothing_is_waited_for(node: Node) -> None:
    shutdown = Shutdown(node.parts)
    node.parts.ledger.start()
    shutdown.begin("SIGTERM")
    shutdown.go_on()

    assert has_stopped(node)


def test_a_ledger_that_has_everything_and_does_not_end_is_killed(node: Node, shutdown: Shutdown) -> None:
    shutdown.begin("SIGTERM")
    node.turn()
    node.acknowledge()
    node.pass_time(DRAIN_PATIENCE_S)

    assert node.signals_to(node.parts.ledger.slot) == [signal.SIGKILL]
    assert node.lines.of("records.lost") == []


def test_a_ledger_that_hangs_is_replaced_by_one_that_gets_all_its_records(node: Node, shutdown: Shutdown) -> None:
    node.parts.records.add("run", "r-1", {"pid": 1})
    shutdown.begin("SIGTERM")
    node.turn()
    node.pass_time(DRAIN_PATIENCE_S)
    assert node.signals_to(node.parts.ledger.slot) == [signal.SIGKILL]

    node.end_child(node.parts.ledger.slot, signal=signal.SIGKILL)
    node.settle()
    node.turn()

    assert "r-1" in [record.key for record in node.records("run")]
    assert isinstance(node.ledger.messages[-1], Drain)


def test_a_ledger_in_the_place_of_one_that_hung_goes_when_its_journal_has_all(node: Node, shutdown: Shutdown) -> None:
    node.parts.records.add("run", "r-1", {"pid": 1})
    shutdown.begin("SIGTERM")
    node.turn()
    node.pass_time(DRAIN_PATIENCE_S)
    node.end_child(node.parts.ledger.slot, signal=signal.SIGKILL)
    node.settle()
    early = node.signals_to(node.parts.ledger.slot)
    node.acknowledge()

    assert (early, node.signals_to(node.parts.ledger.slot)) == ([], [signal.SIGKILL])
    assert node.lines.of("child.killed")[-1]["reason"] == "its journal has all, and its database does not answer"


def test_a_ledger_that_has_gone_is_not_missed_when_its_time_is_over(node: Node, shutdown: Shutdown) -> None:
    shutdown.begin("SIGTERM")
    node.turn()
    drain(node)
    node.end_child(node.parts.ledger.slot, code=0)
    node.pass_time(DRAIN_PATIENCE_S)

    assert node.lines.of("child.killed") == node.lines.of("records.lost") == []


def test_what_no_ledger_has_written_down_is_said_to_be_lost(node: Node, shutdown: Shutdown) -> None:
    node.parts.records.add("run", "r-1", {"pid": 1})
    shutdown.begin("SIGTERM")
    node.turn()
    node.pass_time(DRAIN_PATIENCE_S)
    node.end_child(node.parts.ledger.slot, signal=signal.SIGKILL)
    node.settle()
    unsafe = node.parts.records.unacknowledged
    node.pass_time(DRAIN_PATIENCE_S)

    assert [event["records"] for event in node.lines.of("records.lost")] == [unsafe]
    assert node.signals_to(node.parts.ledger.slot) == [signal.SIGKILL]


def test_a_ledger_that_crashes_at_its_start_is_started_again_without_its_delay_a_few_times(
    node: Node, shutdown: Shutdown
) -> None:
    node.parts.records.add("run", "r-1", {"pid": 1})
    shutdown.begin("SIGTERM")
    node.end_child(node.parts.ledger.slot, code=1)
    starts = 0
    while node.bear():
        starts += 1
        node.end_child(node.parts.ledger.slot, code=1)

    assert starts == 1 + REVIVALS
    assert node.parts.ledger.slot.state is State.BACKOFF


def test_a_child_that_cannot_be_killed_is_not_waited_for(node: Node, shutdown: Shutdown) -> None:
    slot = node.add_job(stop_timeout=1.0)
    node.settle()
    shutdown.begin("SIGTERM")
    for seconds in (1.0, 1.0, KILL_PATIENCE_S):
        node.pass_time(seconds)
    drain(node)
    node.end_child(node.parts.ledger.slot, code=0)
    node.end_forkserver(node.forkserver, code=0)

    assert slot.unkillable
    assert has_stopped(node)


def test_a_significant_job_that_is_parked_ends_the_daemon_where_the_settings_say_so(
    new_node: Callable[..., Node],
) -> None:
    node = new_node(exit_when_parked=True)
    shutdown = started(node)
    node.add_job("mail", problem="no such target")
    node.add_job("feed", problem="no such target", significant=True)

    assert shutdown.begun == "feed is parked, and is significant: no such target"
    assert shutdown.exit_code == exit_codes.OWN_FAULT


def test_a_significant_job_that_is_parked_ends_nothing_otherwise(node: Node, shutdown: Shutdown) -> None:
    slot = node.add_job(significant=True)
    node.bear()
    node.child_in(slot).say(Refused("no such printer"))
    node.turn()
    node.end_child(slot, code=78)

    assert slot.state is State.PARKED
    assert not shutdown.begun


def test_the_end_of_each_run_is_written_down(node: Node, shutdown: Shutdown) -> None:
    slot = node.add_job()
    node.settle()
    assert slot.child is not None
    run = slot.child.run
    shutdown.begin("SIGTERM")
    end_jobs(node)

    ends = [record.row["outcome"] for record in node.records("run") if record.key == run and record.row]
    assert ends[-1] == "stopped"
    assert isinstance(node.ledger.messages[-1], Drain | Record)

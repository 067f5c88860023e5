"""A reload: whoever asks is answered when every job has moved over to the new code, or why none does."""

import signal
from typing import Any

import pytest

from tests.harness.node import Node
from workerd.daemon.node.alerts import Alerts
from workerd.daemon.node.node_record import NodeRecord
from workerd.daemon.node.readiness import Readiness
from workerd.daemon.node.reloading import NAMED, Reloading
from workerd.daemon.node.shutdown import Shutdown
from workerd.daemon.node.status import Status
from workerd.daemon.rules.dues import Due
from workerd.daemon.rules.facts import Fact
from workerd.daemon.slots.rollout import PROOF_S
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.messages import Failed, Refused
from workerd.wire.reasons import public_part
from workerd.wire.words import State, Trigger


class Setup:
    """Reloads of a node that runs its ledger and a job, and what was answered."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.shutdown = Shutdown(node.parts)
        self.reloading = Reloading(node.parts, self.shutdown)
        node.parts.rollout.rows_are_judged = lambda: True
        self.answers: list[dict[str, Any]] = []
        node.start()
        self.slot = node.add_job()
        node.settle()
        node.parts.loop.at_turn_end(node.parts.rollout.go_on)

    def ask(self, way: str = "") -> None:
        self.reloading.ask(self.answers.append, way)
        self.node.turn()

    def halt(self) -> None:
        """Reload code with which the job fails."""
        self.ask()
        self.load()
        self.replace_ledger()
        self.node.end_child(self.slot, signal=signal.SIGTERM)
        self.node.bear()
        self.node.child_in(self.slot).say(Failed("RuntimeError", "not today", ""))
        self.node.turn()
        self.node.end_child(self.slot, code=1)

    def load(self) -> None:
        """Have the newest generation load."""
        self.node.forkserver.become_ready()
        self.node.turn()

    def replace_ledger(self) -> None:
        self.node.end_child(self.node.parts.ledger.slot, code=0)
        self.node.settle()
        self.node.pass_time(PROOF_S)
        self.node.settle()


@pytest.fixture
def setup(node: Node) -> Setup:
    return Setup(node)


def test_the_ledger_moves_over_first_and_the_jobs_after_it(node: Node, setup: Setup) -> None:
    setup.ask()
    setup.load()
    node.ledger.hear()
    first = (node.ledger.at_end, node.signals_to(setup.slot))
    setup.replace_ledger()

    assert first == (True, [])
    assert node.signals_to(setup.slot) == [signal.SIGTERM]


def test_it_is_answered_when_every_job_runs_the_new_code(node: Node, setup: Setup) -> None:
    setup.ask()
    setup.load()
    setup.replace_ledger()
    early = list(setup.answers)
    node.end_child(setup.slot, signal=signal.SIGTERM)
    node.settle()
    unproved = list(setup.answers)
    node.pass_time(setup.slot.spec.start_grace)

    assert early == unproved == []
    assert setup.answers == [{"ok": True, "generation": 2}]
    assert setup.slot.child is not None
    assert setup.slot.child.generation == 2


def begin_scheduled(node: Node, count: int) -> list[LiveSlot]:
    """Have jobs that run for a time of their schedule."""
    slots = [
        node.add_job(f"report-{n}", schedule="30 2 * * *", time_zone="UTC", restart="on_failure") for n in range(count)
    ]
    for slot in slots:
        node.parts.lifecycle.apply(slot, Fact.CAME_DUE, due=Due.at(node.clock.wall(), Trigger.SCHEDULE))
    node.settle()
    return slots


def test_scheduled_runs_end_on_their_code_and_the_answer_names_them(node: Node, setup: Setup) -> None:
    slots = begin_scheduled(node, NAMED + 2)
    node.add_job("resting", schedule="30 2 * * *", time_zone="UTC", restart="on_failure")
    setup.ask()
    setup.load()
    setup.replace_ledger()
    node.end_child(setup.slot, signal=signal.SIGTERM)
    node.settle()
    node.pass_time(setup.slot.spec.start_grace)
    [answer] = setup.answers

    assert (answer["ok"], node.parts.rollout.finishing()) == (True, slots)
    assert answer["note"].startswith(
        f"{NAMED + 2} scheduled runs finish with the code before: report-0 (generation 1), report-1 (generation 1), "
    )
    assert answer["note"].endswith(" and 2 more")
    assert all(node.signals_to(slot) == [] for slot in slots)


def test_a_scheduled_run_that_has_ended_is_no_more_finishing_and_the_next_has_the_new_code(
    node: Node, setup: Setup
) -> None:
    [slot] = begin_scheduled(node, 1)
    setup.ask()
    setup.load()
    setup.replace_ledger()
    node.end_child(setup.slot, signal=signal.SIGTERM)
    node.settle()
    node.pass_time(setup.slot.spec.start_grace)
    node.end_child(slot, code=0)
    after = node.parts.rollout.finishing()
    node.parts.lifecycle.apply(slot, Fact.CAME_DUE, due=Due.at(node.clock.wall(), Trigger.OPERATOR))
    node.settle()

    assert slot.child is not None
    assert (after, slot.child.generation) == ([], 2)


def test_a_generation_that_is_rejected_is_answered_with_the_reason_and_stops_nothing(node: Node, setup: Setup) -> None:
    setup.ask()
    node.forkserver.reject("SyntaxError: never closed")
    node.turn()

    assert setup.answers == [{"ok": False, "error": "the new generation was rejected: SyntaxError: never closed"}]
    assert setup.slot.state is State.RUNNING


def test_everybody_who_asks_is_answered(node: Node, setup: Setup) -> None:
    setup.ask()
    setup.ask()
    node.forkserver.reject("SyntaxError")
    node.turn()
    node.forkserver.reject("NameError")
    node.turn()

    assert [answer["error"].rpartition(" ")[2] for answer in setup.answers] == ["SyntaxError", "NameError"]


def test_a_daemon_that_stops_loads_nothing(node: Node, setup: Setup) -> None:
    setup.shutdown.begin("SIGTERM")
    setup.ask()

    assert setup.answers == [{"ok": False, "error": "the daemon is stopping and takes no more orders"}]
    assert len(node.forkservers) == 1


def test_a_forkserver_that_comes_back_moves_nobody(node: Node, setup: Setup) -> None:
    node.end_forkserver(node.forkserver, signal=signal.SIGKILL)
    node.turn()
    setup.load()

    assert node.signals_to(setup.slot) == []
    assert setup.slot.state is State.RUNNING


def test_a_job_that_the_old_code_refused_is_tried_again(node: Node, setup: Setup) -> None:
    node.child_in(setup.slot).say(Refused("no such function"))
    node.turn()
    node.end_child(setup.slot, code=78)
    parked = setup.slot.state
    setup.ask()
    setup.load()
    setup.replace_ledger()

    assert (parked, setup.slot.state) == (State.PARKED, State.RUNNING)


def test_a_reload_that_is_halted_is_answered_with_who_failed_and_what_can_be_done(setup: Setup) -> None:
    setup.halt()
    [answer] = setup.answers

    assert (answer["ok"], answer["generation"]) == (False, 2)
    assert answer["error"].startswith(
        "the move to generation 2 is halted: feed failed: RuntimeError: not today. 0 of 1 slots run generation 2; "
        "the others, and their restarts, keep the code before. Correct the code and reload, or "
    )
    assert "not today" not in public_part(answer["error"])
    assert answer["error"].startswith(setup.reloading.account)


@pytest.mark.parametrize("way", ["go_on", "back"])
def test_the_node_says_that_its_reload_is_halted_until_that_is_decided(node: Node, setup: Setup, way: str) -> None:
    NodeRecord(node.parts, setup.reloading)
    setup.halt()
    [*_, record] = node.records("node")
    setup.ask(way)
    if way == "back":
        setup.replace_ledger()
    [*_, decided] = node.records("node")

    assert record.row is not None
    assert record.row["halt"].startswith("the move to generation 2 is halted: feed failed: RuntimeError: not today. 0 ")
    assert record.row["public_halt"] == record.row["halt"].replace(": not today", "")
    assert decided.row is not None
    assert (decided.row["halt"], decided.row["public_halt"]) == ("", "")


def test_what_came_of_a_reload_is_told_until_the_next_one_ends_well(node: Node, setup: Setup) -> None:
    setup.halt()
    setup.ask()
    loading = setup.reloading.account
    node.forkserver.reject("SyntaxError")
    node.turn()
    rejected = setup.reloading.account
    setup.ask("back")
    setup.replace_ledger()
    node.pass_time(setup.slot.spec.start_grace)

    assert loading == "generation 3 is being loaded"
    assert rejected.startswith("the new generation was rejected: SyntaxError; the move to generation 2 is halted: feed")
    assert setup.answers[-1] == {"ok": True, "generation": 1}
    assert setup.reloading.account == ""


def test_the_status_says_that_code_was_rejected_or_halted_until_somebody_has_decided(node: Node, setup: Setup) -> None:
    readiness = Readiness(node.parts)
    status = Status(node.parts, setup.shutdown, readiness, setup.reloading, None, Alerts(node.parts, readiness))

    def told() -> tuple[bool, bool]:
        daemon = status.snapshot()["daemon"]
        return daemon["rejected"], daemon["halted"]

    before = told()
    setup.halt()
    halted = told()
    setup.ask()
    node.forkserver.reject("SyntaxError")
    node.turn()
    rejected = told()
    setup.ask("back")
    setup.replace_ledger()
    node.pass_time(setup.slot.spec.start_grace)

    assert (before, halted, rejected, told()) == ((False, False), (False, True), (True, True), (False, False))


@pytest.mark.parametrize("way", ["go_on", "back"])
def test_there_is_nothing_to_decide_while_nothing_is_halted(setup: Setup, way: str) -> None:
    setup.ask(way)

    assert setup.answers[0]["error"].startswith("no reload is halted")


@pytest.mark.parametrize("way", ["go_on", "back"])
def test_nothing_is_decided_while_the_next_generation_loads(setup: Setup, way: str) -> None:
    setup.halt()
    setup.ask()
    setup.ask(way)

    assert setup.answers[-1]["error"] == "generation 3 is being loaded: wait for it"


def test_a_way_that_nobody_knows_is_refused_by_name(setup: Setup) -> None:
    setup.ask("sideways")

    assert setup.answers[0]["error"] == "a reload has no way “sideways”: there are “go_on” and “back”"


def test_there_is_no_way_back_to_code_that_is_gone(node: Node, setup: Setup) -> None:
    setup.halt()
    node.end_forkserver(node.forkservers[0], signal=signal.SIGKILL)
    setup.ask("back")

    assert "its forkserver has ended" in setup.answers[-1]["error"]


def test_a_slot_that_is_down_is_named_where_the_others_have_moved(node: Node, setup: Setup) -> None:
    setup.halt()
    setup.ask("go_on")

    assert setup.answers[-1]["ok"] is False
    assert setup.answers[-1]["error"] == "0 of 1 slots run generation 2; feed is BACKOFF: RuntimeError: not today"


def test_a_slot_that_tries_again_is_down_too(node: Node, setup: Setup) -> None:
    """Otherwise a reload of which every slot fails looks like success while all of them start again."""
    news = node.add_job("news")
    node.settle()
    setup.halt()
    setup.ask("go_on")
    node.parts.lifecycle.want(news, False)
    node.pass_time(5)
    node.end_child(news, signal=signal.SIGTERM)
    again = "feed is STARTING again, after: RuntimeError: not today"

    assert setup.answers[-1]["ok"] is False
    assert setup.answers[-1]["error"] == f"0 of 1 slots run generation 2; {again}"


def test_a_slot_that_is_down_no_longer_is_named_no_longer(node: Node, setup: Setup) -> None:
    setup.halt()
    setup.ask("go_on")
    while_down = setup.reloading.account
    node.parts.lifecycle.want(setup.slot, False)

    assert while_down == setup.answers[-1]["error"]
    assert setup.reloading.account == ""


def test_a_reload_that_a_stop_cuts_short_says_so(node: Node, setup: Setup) -> None:
    setup.ask()
    setup.load()
    setup.shutdown.begin("SIGTERM")
    node.turn()

    assert "the daemon is stopping" in setup.answers[0]["error"]

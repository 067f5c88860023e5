"""A reload: whoever asks is answered when every job has moved over to the new code, or why none does."""

import signal
from typing import Any

import pytest

from tests.harness.node import Node
from workerd.daemon.node.reloading import Reloading
from workerd.daemon.node.shutdown import Shutdown
from workerd.daemon.slots.rollout import PROOF_S
from workerd.wire.messages import Refused
from workerd.wire.words import State


class Setup:
    """Reloads of a node that runs its ledger and a job, and what was answered."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.shutdown = Shutdown(node.parts)
        self.reloading = Reloading(node.parts, self.shutdown)
        self.answers: list[dict[str, Any]] = []
        node.start()
        self.slot = node.add_job()
        node.settle()
        node.parts.loop.at_turn_end(node.parts.rollout.go_on)

    def ask(self) -> None:
        self.reloading.ask(self.answers.append)
        self.node.turn()

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

    assert setup.answers == [{"ok": False, "error": "the daemon is stopping"}]
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

"""Operators' orders: which slots they are for, what they do, and when and how they are answered."""

import signal
from typing import Any

import pytest

from tests.harness.node import Node, orders_of
from workerd.daemon.node.orders import MARGIN_S
from workerd.daemon.rules.facts import Fact
from workerd.wire.messages import Loaded, Refused
from workerd.wire.words import State


class Setup:
    """Takes orders for a node, and keeps the answers."""

    def __init__(self, node: Node) -> None:
        parts = node.parts
        self.orders = orders_of(parts)
        parts.loop.at_turn_end(self.orders.go_on)
        self.node = node
        self.answers: list[dict[str, Any]] = []

    def give(self, verb: str, *names: str, wait: bool = True) -> None:
        """Give an order, and let a turn pass."""
        self.orders.carry_out(verb, names, self.answers.append, wait=wait)
        self.node.turn()

    def slots(self) -> dict[str, tuple[bool, str]]:
        """Return what the only answer says of each slot."""
        [answer] = self.answers
        assert answer["ok"] == all(slot["ok"] for slot in answer["slots"])
        return {slot["slot"]: (slot["ok"], slot["text"]) for slot in answer["slots"]}


@pytest.fixture
def setup(node: Node) -> Setup:
    """Orders for a node with three jobs that run: feed, with two slots, and mail, and news, which is disabled."""
    node.start()
    node.add_job("feed", processes=2)
    node.add_job("mail")
    node.add_job("news", enabled=False)
    node.settle()
    return Setup(node)


def test_a_name_of_a_job_means_every_slot_of_it(node: Node, setup: Setup) -> None:
    setup.give("stop", "feed")

    assert [slot.wanted for slot in node.parts.slot_set.job_slots()] == [False, False, True, False]


def test_a_name_of_a_slot_means_that_one(node: Node, setup: Setup) -> None:
    setup.give("stop", "feed:1")

    assert (node.slot("feed").wanted, node.slot("feed", 1).wanted) == (True, False)


def test_no_name_means_every_slot_of_every_job_and_not_the_ledger(node: Node, setup: Setup) -> None:
    setup.give("stop")

    assert not any(slot.wanted for slot in node.parts.slot_set.job_slots())
    assert node.parts.ledger.slot.wanted


def test_a_name_that_means_nothing_is_answered_with_the_names_there_are(setup: Setup) -> None:
    setup.give("restart", "fead")

    assert setup.slots() == {
        "fead": (False, "there is no such job or slot. Did you mean “feed”? Jobs: feed, mail, news.")
    }


def test_a_stop_is_answered_when_the_last_of_its_slots_has_stopped(node: Node, setup: Setup) -> None:
    setup.give("stop", "feed")
    node.end_child(node.slot("feed"), signal=signal.SIGTERM)
    early = list(setup.answers)
    node.end_child(node.slot("feed", 1), signal=signal.SIGTERM)

    assert early == []
    assert setup.slots() == {"feed:0": (True, "STOPPED"), "feed:1": (True, "STOPPED")}


def test_what_was_stopped_stays_so_until_it_is_started(node: Node, setup: Setup) -> None:
    slot = node.slot("mail")
    setup.give("stop", "mail")
    node.end_child(slot, signal=signal.SIGTERM)
    held = slot.held
    setup.answers.clear()
    setup.give("start", "mail")
    node.settle()

    assert (held, slot.held, slot.state) == (True, False, State.RUNNING)
    assert setup.slots() == {"mail": (True, f"RUNNING, pid {node.child_in(slot).pid}")}


def test_a_start_of_what_runs_is_answered_at_once(node: Node, setup: Setup) -> None:
    setup.give("start", "mail")

    assert setup.slots() == {"mail": (True, f"RUNNING, pid {node.child_in(node.slot('mail')).pid}")}


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_disabled_job_is_not_started_by_an_order(setup: Setup, verb: str) -> None:
    setup.give(verb, "news")

    assert setup.slots() == {"news": (False, "it is disabled: enable its row first")}


def test_a_restart_is_answered_with_the_pid_of_the_new_child(node: Node, setup: Setup) -> None:
    slot = node.slot("mail")
    old = node.child_in(slot).pid
    setup.give("restart", "mail")
    early = list(setup.answers)
    node.end_child(slot, signal=signal.SIGTERM)
    node.settle()
    new = node.child_in(slot).pid

    assert (early, new == old) == ([], False)
    assert setup.slots() == {"mail": (True, f"RUNNING, pid {new}")}
    assert setup.answers[-1]["note"] == "Restarted with the code of generation 1; “reload” loads newer files."


def test_a_restart_is_not_answered_while_the_new_child_is_starting(node: Node, setup: Setup) -> None:
    slot = node.slot("mail")
    setup.give("restart", "mail")
    node.end_child(slot, signal=signal.SIGTERM)
    node.bear()
    node.child_in(slot).say(Loaded())
    node.turn()

    assert (slot.state, setup.answers) == (State.STARTING, [])


def test_a_restart_of_what_an_operator_has_stopped_says_so(node: Node, setup: Setup) -> None:
    setup.give("stop", "mail")
    node.end_child(node.slot("mail"), signal=signal.SIGTERM)
    setup.answers.clear()
    setup.give("restart", "mail")

    assert setup.slots() == {"mail": (False, "it is stopped: start it")}


def test_a_restart_that_ends_in_a_failure_says_what_the_slot_is_now(node: Node, setup: Setup) -> None:
    slot = node.slot("mail")
    setup.give("restart", "mail")
    node.end_child(slot, signal=signal.SIGTERM)
    node.bear()
    node.child_in(slot).say(Refused("no such printer"))
    node.turn()
    node.end_child(slot, code=78)

    assert setup.slots() == {"mail": (False, "PARKED: no such printer")}


def test_nothing_is_restarted_where_no_process_could_be_started(node: Node, setup: Setup) -> None:
    node.parts.generations.close()
    setup.give("restart", "mail")

    assert setup.answers == [
        {
            "ok": False,
            "error": "nothing was restarted, because no new process can be started: "
            f"the project's code is being loaded (pid {node.forkserver.pid})",
        }
    ]
    assert node.slot("mail").state is State.RUNNING


def test_a_resume_is_for_what_is_parked(node: Node, setup: Setup) -> None:
    setup.give("resume", "mail")

    assert setup.slots() == {"mail": (False, "it is RUNNING, not parked: nothing to resume")}


def test_an_order_for_everyone_passes_over_what_it_is_not_for(node: Node, setup: Setup) -> None:
    setup.give("resume")

    assert setup.answers[0]["ok"]
    assert setup.slots()["news"] == (True, "it is STOPPED, not parked: nothing to resume")


def test_a_resume_starts_a_parked_slot_again(node: Node, setup: Setup) -> None:
    slot = node.slot("mail")
    node.child_in(slot).say(Refused("no such printer"))
    node.turn()
    node.end_child(slot, code=78)
    setup.give("resume", "mail")
    node.settle()

    assert setup.slots() == {"mail": (True, f"RUNNING, pid {node.child_in(slot).pid}")}


def test_an_order_that_is_not_waited_for_is_answered_at_once(setup: Setup) -> None:
    setup.give("stop", "feed", wait=False)

    assert setup.slots() == {"feed:0": (True, "asked"), "feed:1": (True, "asked")}


def test_an_order_is_answered_when_its_slots_have_had_their_time(node: Node, setup: Setup) -> None:
    slot = node.slot("mail")
    setup.give("stop", "mail")
    node.pass_time(slot.spec.stop_timeout + slot.spec.start_timeout + MARGIN_S - 1)
    early = list(setup.answers)
    node.pass_time(1)

    assert early == []
    (ok, text) = setup.slots()["mail"]
    assert not ok
    assert text.startswith(f"not yet: STOPPING, pid {node.child_in(slot).pid}: still there 5 s after SIGKILL: ")


def test_a_slot_that_is_meant_by_a_mistyped_name_is_guessed_with_its_number(setup: Setup) -> None:
    setup.give("stop", "fede:1")

    assert "Did you mean “feed:1”?" in setup.slots()["fede:1"][1]


def test_a_name_that_is_like_no_other_is_not_guessed(setup: Setup) -> None:
    setup.give("stop", "x" * 100_000)

    assert "Did you mean" not in next(iter(setup.slots().values()))[1]


def test_an_answer_is_given_once(node: Node, setup: Setup) -> None:
    setup.give("stop", "mail")
    node.end_child(node.slot("mail"), signal=signal.SIGTERM)
    node.pass_time(1000)

    assert len(setup.answers) == 1


def test_a_dump_of_a_process_that_has_just_ended_is_answered_too(setup: Setup) -> None:
    setup.give("dump", "mail")
    ok, text = setup.slots()["mail"]

    assert not ok
    assert text.startswith("no stack")


def test_a_dump_of_a_slot_without_a_child_says_so(setup: Setup) -> None:
    setup.give("dump", "news")

    assert setup.slots() == {"news": (False, "nothing to dump: it is STOPPED")}


def test_a_dump_of_a_slot_whose_stack_was_taken_says_where_it_is(node: Node, setup: Setup) -> None:
    """As of one that hangs, and was asked for its stack before it is ended."""
    node.parts.lifecycle.apply(node.slot("mail"), Fact.DEADLINE_PASSED, hung=True)
    setup.give("dump", "mail")

    assert setup.slots() == {"mail": (False, "its stack was taken already: see “tail --event child.stack”")}


def test_without_jobs_an_order_for_everyone_is_done(node: Node) -> None:
    setup = Setup(node)
    setup.give("stop")

    assert setup.answers == [{"ok": True, "slots": []}]

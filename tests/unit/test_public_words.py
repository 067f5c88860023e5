"""What everybody may read of a reason: workerd's own words, and the name of an exception, whatever a job says."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.node import Node
from workerd.daemon.slots.rows import slot_row
from workerd.wire.messages import Failed, Refused
from workerd.wire.reasons import Reason, public_part
from workerd.wire.words import State

WORDS = "sk-live-0123456789"


def fail(node: Node, slot: Any) -> None:
    node.child_in(slot).say(Failed("shop.PaymentError", WORDS, f"Traceback\n{WORDS}"))
    node.end_child(slot, code=1)


def refuse(node: Node, slot: Any) -> None:
    node.child_in(slot).say(Refused(f"“x” does not import: {WORDS}.", "“x” does not import."))
    node.end_child(slot, code=78)


def refuse_as_another_version(node: Node, slot: Any) -> None:
    node.child_in(slot).say(Refused(WORDS))
    node.end_child(slot, code=78)


def crash(node: Node, slot: Any) -> None:
    node.end_child(slot, signal=11)


def exit_3(node: Node, slot: Any) -> None:
    node.end_child(slot, code=3)


@pytest.mark.parametrize(
    ("end", "fields", "state", "public"),
    [
        (fail, {}, State.BACKOFF, "shop.PaymentError"),
        (fail, {"max_restarts": 0}, State.PARKED, "gave up after 1 failure within 10 min; last: shop.PaymentError"),
        (refuse, {}, State.PARKED, "“x” does not import."),
        (refuse_as_another_version, {}, State.PARKED, ""),
        (crash, {}, State.BACKOFF, "killed by SIGSEGV"),
        (exit_3, {"restart": "never"}, State.DONE, "exit code 3; not started again, as its row's restart is “never”"),
    ],
)
def test_the_row_of_a_slot_holds_apart_what_everybody_may_read(
    node: Node, end: Callable[[Node, Any], None], fields: dict[str, Any], state: State, public: str
) -> None:
    node.start()
    slot = node.add_job(**fields)
    node.bear()
    end(node, slot)
    row = slot_row(slot, node.clock)

    assert (row["state"], row["public_reason"]) == (state.value, public)
    assert (WORDS in row["reason"]) == (end not in {crash, exit_3} and state is not State.DONE)


def test_a_text_of_which_nobody_has_said_whose_it_is_is_for_nobody() -> None:
    reason = Reason("a: b", "a")

    assert public_part(reason) == "a"
    assert public_part(f"it says {reason}") == ""
    assert public_part(Reason("all our own")) == "all our own"

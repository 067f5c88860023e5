"""The audit: an order that stands in a row is done once, and the result of every order is written down."""

from typing import Any

import pytest

from tests.harness.node import Node, fleet_reload_of, orders_of
from workerd.daemon.node.audit import KNOWN, RESULT_CHARACTERS, Audit, result_row
from workerd.daemon.node.reloading import Reloading
from workerd.daemon.node.shutdown import Shutdown
from workerd.wire.messages import OperationTaken


def operation(key: str, verb: str = "resume", name: str = "mail") -> OperationTaken:
    return OperationTaken(key, verb, name, "ann")


@pytest.fixture
def audit(node: Node) -> Audit:
    """The audit of a node with two jobs that run: mail, and feed with two slots."""
    parts = node.parts
    orders = orders_of(parts)
    reloading = Reloading(parts, Shutdown(parts))
    parts.loop.at_turn_end(orders.go_on)
    node.start()
    node.add_job("mail")
    node.add_job("feed", processes=2)
    node.settle()
    return Audit(parts, orders, reloading, fleet_reload_of(parts, reloading))


def results(node: Node) -> dict[str, str]:
    """Return what has been written down of each order that stood in a row."""
    return {record.key: record.row["result"] for record in node.records("operation") if record.row}


def test_an_order_in_a_row_is_done_and_answered_in_it(node: Node, audit: Audit) -> None:
    node.tell(operation("one"), operation("two", name=""))

    assert results(node) == {
        "one": "mail: it is RUNNING, not parked: nothing to resume",
        "two": "feed:0: it is RUNNING, not parked: nothing to resume\n"
        "feed:1: it is RUNNING, not parked: nothing to resume\n"
        "mail: it is RUNNING, not parked: nothing to resume",
    }
    assert [event["job"] for event in node.lines.of("operation.taken")] == ["mail", ""]


def test_an_order_that_a_new_ledger_tells_again_is_not_done_again(node: Node, audit: Audit) -> None:
    for key in ("one", "two", "one"):
        audit.carry_out(operation(key))

    assert len(node.lines.of("operation.taken")) == 2


def test_no_more_orders_are_remembered_than_may_come_again(node: Node, audit: Audit) -> None:
    for number in range(KNOWN + 1):
        audit.carry_out(operation(str(number)))
    audit.carry_out(operation(str(KNOWN)))
    remembered = len(node.lines.of("operation.taken"))
    audit.carry_out(operation("0"))

    assert (remembered, len(node.lines.of("operation.taken"))) == (KNOWN + 1, KNOWN + 2)


def test_a_row_may_ask_for_a_reload(node: Node, audit: Audit) -> None:
    node.tell(operation("one", verb="reload", name=""))
    node.forkserver.reject("SyntaxError")
    node.turn()

    assert results(node) == {"one": "the new generation was rejected: SyntaxError"}


@pytest.mark.parametrize("verb", ["reload_go_on", "reload_back"])
def test_a_row_may_decide_on_a_reload(node: Node, audit: Audit, verb: str) -> None:
    node.tell(operation("one", verb=verb, name=""))

    assert results(node)["one"].startswith("no reload is halted")


def test_a_verb_that_is_none_is_answered_in_the_row(node: Node, audit: Audit) -> None:
    node.tell(operation("one", verb="shutdown"))

    assert results(node) == {"one": "no row can ask a daemon for “shutdown”"}


def test_an_order_of_the_command_is_logged_and_written_down_for_each_name(node: Node, audit: Audit) -> None:
    answers: list[Any] = []
    reply = audit.audited("restart", ["mail:0", "feed"], "ann", answers.append)
    reply({"ok": True, "slots": [{"slot": slot, "text": "running"} for slot in ("mail", "feed:0", "feed:1")]})
    rows = [record.row for record in node.records("operation") if record.row]

    assert [(event["job"], event["requested_by"]) for event in node.lines.of("operation.taken")] == [
        ("mail:0", "ann"),
        ("feed", "ann"),
    ]
    assert [(row["job_name"], row["slot"], row["result"]) for row in rows] == [
        ("mail", "mail:0", "mail: running"),
        ("feed", "", "feed:0: running\nfeed:1: running"),
    ]
    assert len(answers) == 1


def test_an_order_of_the_command_for_all_is_one_row(node: Node, audit: Audit) -> None:
    audit.audited("stop", [], "ann", lambda _: None)({"ok": True, "slots": []})

    assert [record.row and record.row["job_name"] for record in node.records("operation")] == [""]


@pytest.mark.parametrize(
    ("result", "text"),
    [({"ok": False, "error": "the daemon is stopping"}, "the daemon is stopping"), ({"ok": True}, "done")],
)
def test_an_answer_without_slots_is_a_word(result: dict[str, Any], text: str) -> None:
    assert result_row(result)["result"] == text


def test_an_answer_that_is_too_long_for_a_row_is_cut() -> None:
    slots = [{"slot": f"feed:{index}", "text": "x" * 100} for index in range(1000)]

    assert len(result_row({"ok": True, "slots": slots})["result"]) == RESULT_CHARACTERS

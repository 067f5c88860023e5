"""Orders that come from the database are done once, however often a ledger tells of them."""

from types import SimpleNamespace
from typing import Any

from tests.harness.fakes import FakeClock, Recorder, recording_log
from workerd.daemon.io.listeners import Listeners
from workerd.daemon.node.audit import KNOWN, Audit
from workerd.wire.messages import OperationTaken


def operation(key: str, verb: str = "restart") -> OperationTaken:
    return OperationTaken(key, verb, "mail", "ann")


class Setup:
    """The audit, and what it wrote, ordered and logged."""

    def __init__(self) -> None:
        log, self.lines = recording_log()
        self.records, self.orders = Recorder(), Recorder()
        ledger = SimpleNamespace(on_operation=Listeners())
        parts: Any = SimpleNamespace(log=log, clock=FakeClock(), records=self.records, ledger=ledger)
        self.audit = Audit(parts, self.orders, Recorder())  # type: ignore[arg-type]


def new_audit() -> tuple[Audit, Recorder, Recorder]:
    made = Setup()
    return made.audit, made.records, made.orders


def test_an_order_that_is_told_again_by_a_new_ledger_is_not_done_again() -> None:
    audit, _, orders = new_audit()

    audit.carry_out(operation("one"))
    audit.carry_out(operation("two"))
    audit.carry_out(operation("one"))

    assert [call[:3] for call in orders.calls] == [("carry_out", "restart", ["mail"])] * 2


def test_no_more_orders_are_remembered_than_may_come_again() -> None:
    audit, _, orders = new_audit()

    for number in range(KNOWN + 1):
        audit.carry_out(operation(str(number)))
    audit.carry_out(operation(str(KNOWN)))
    assert len(orders.calls) == KNOWN + 1

    audit.carry_out(operation("0"))
    assert len(orders.calls) == KNOWN + 2


def test_an_order_of_the_command_is_said_in_the_log_and_written_down_for_each_name() -> None:
    setup = Setup()
    answers: list[Any] = []

    reply = setup.audit.audited("restart", ["mail:0", "feed"], "ann", answers.append)
    reply({"ok": True, "slots": [{"slot": slot, "text": "running"} for slot in ("mail", "feed:0", "feed:1")]})

    assert [(line["job"], line["requested_by"]) for line in setup.lines.of("operation.taken")] == [
        ("mail:0", "ann"),
        ("feed", "ann"),
    ]
    assert [call[3]["result"] for call in setup.records.calls] == [
        "mail: running",
        "feed:0: running\nfeed:1: running",
    ]
    assert len(answers) == 1


def test_a_verb_that_is_none_is_answered_in_the_row() -> None:
    audit, records, _ = new_audit()

    audit.carry_out(operation("one", verb="shutdown"))

    assert records.calls == [("add", "operation", "one", {"result": "no row can ask a daemon for “shutdown”"})]

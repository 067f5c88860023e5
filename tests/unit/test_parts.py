"""The parts of a daemon together: a fault in one of them is said, and the others go on."""

from tests.harness.node import Node
from workerd.daemon.rules.facts import Effect


def fail() -> None:
    raise LookupError("no such slot")


def test_a_fault_of_the_daemons_own_is_logged_with_its_traceback_and_ends_nothing(node: Node) -> None:
    node.parts.loop.call_soon(fail)
    node.start()
    [degraded] = node.lines.of("daemon.degraded")

    assert degraded["reason"] == "internal error, please report it: LookupError('no such slot')"
    assert "in fail" in degraded["traceback"]
    assert node.parts.ledger.slot.is_running


def test_a_fault_at_a_slot_names_it(node: Node) -> None:
    node.start()
    node.parts.lifecycle.effects[Effect.TERMINATE] = lambda _: fail()
    slot = node.add_job("feed")
    node.settle()
    node.parts.lifecycle.want(slot, False, "stopped by ada")
    [degraded] = node.lines.of("daemon.degraded")

    assert degraded["reason"] == "internal error, please report it: LookupError('no such slot') (slot feed)"


def test_what_no_ledger_has_is_kept_from_the_first_turn_on(node: Node) -> None:
    node.add_job()
    node.parts.slot_set.write_rows()
    waiting = node.parts.records.unacknowledged
    node.start()

    assert waiting == 1
    assert next(record.key for record in node.records("slot")) == "feed\n0"

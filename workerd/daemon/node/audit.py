"""Orders that come from the database, and the audit rows of orders that come from the command."""

import uuid
from collections.abc import Callable
from typing import Any

from workerd.wire.messages import OperationTaken
from workerd.wire.reasons import Reason, public_part
from workerd.wire.words import names_slot

from .fleet_reload import FleetReload
from .node_drain import WAYS as DRAINS
from .order import Reply
from .orders import GIVING, VERBS, Orders
from .parts import Parts
from .reloading import WAYS, Reloading

RELOAD_FLEET = "reload_fleet"
"""The verb, of rows alone, that reloads every node of the fleet in its turn: each has a row of the order."""
RESULT_CHARACTERS = 16_000
KNOWN = 1000
"""How many orders are remembered; an order expires after a minute, so older ones do not come again."""


class Audit:
    """Carries out orders that stand in rows, and writes down the result of every order."""

    def __init__(self, parts: Parts, orders: Orders, reloading: Reloading, fleet_reload: FleetReload) -> None:
        self._log = parts.log
        self._clock = parts.clock
        self._records = parts.records
        self._orders = orders
        self._reloading = reloading
        self._fleet_reload = fleet_reload
        self._drain = parts.drain
        self._known: dict[str, None] = {}
        parts.ledger.on_operation.add(self.carry_out)

    def carry_out(self, operation: OperationTaken) -> None:
        """Carry out the order of a row, once; its result is written when it is done."""
        if operation.key in self._known:
            return  # a new ledger tells orders again that the one before it has told already
        self._known[operation.key] = None
        if len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]
        self._log.emit("operation.taken", verb=operation.verb, job=operation.name, requested_by=operation.requested_by)

        def answer(result: dict[str, Any]) -> None:
            self._records.add("operation", operation.key, result_row(result))

        if operation.verb in WAYS:
            self._reloading.ask(answer, WAYS[operation.verb])
        elif operation.verb == RELOAD_FLEET:
            self._fleet_reload.ask(answer, operation.requested)
        elif operation.verb in DRAINS:
            self._drain.ask(answer, DRAINS[operation.verb], operation.requested_by or "an operator")
        elif operation.verb in {*VERBS, GIVING}:
            names = [operation.name] if operation.name else []
            self._orders.carry_out(operation.verb, names, answer, by=operation.requested_by or "an operator")
        else:
            answer({"ok": False, "error": Reason(f"no row can ask a daemon for “{operation.verb}”")})

    def audited(self, verb: str, names: list[str], by: str, reply: Reply, *, at_once: bool = False) -> Reply:
        """Log who orders what, and return a reply that also writes the audit rows, one for each name.

        With ``at_once`` they are written now as well, for an order that is answered late.
        """
        keys = {name: str(uuid.uuid4()) for name in names or [""]}
        requested = self._clock.wall()
        for name in keys:
            self._log.emit("operation.taken", verb=verb, job=name, requested_by=by)

        def write(result: dict[str, Any]) -> None:
            for name, key in keys.items():
                job, _, index = name.partition(":")
                row = {
                    "verb": verb,
                    "job_name": job,
                    "slot": name if index else "",
                    "requested_by": by,
                    "requested": requested,
                    "expires": requested,
                    "taken": requested,
                    **result_row(result, name),
                }
                self._records.add("operation", key, row)

        def answer(result: dict[str, Any]) -> None:
            reply(result)
            write(result)

        if at_once:
            write({"ok": True, "error": Reason("asked for; the runs go on")})
        return answer


def result_row(result: dict[str, Any], name: str = "") -> dict[str, Any]:
    """Return an answer as text, whole and as far as it is public: its error, or a line for each slot of ``name``."""
    texts = {"result": _describe(result, name, str), "public_result": _describe(result, name, public_part)}
    return {**texts, "ok": bool(result.get("ok"))}


def _describe(result: dict[str, Any], name: str, part: Callable[[str], str]) -> str:
    if "error" in result:
        return part(result["error"])
    if "slots" not in result:
        return "done"
    slots = [slot for slot in result["slots"] if not name or names_slot(name, slot["slot"])]
    lines = [f"{slot['slot']}: {part(slot['text'])}" for slot in slots if part(slot["text"])]
    return "\n".join(lines)[:RESULT_CHARACTERS]

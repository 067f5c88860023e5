"""The rows that records carry, made from slots and children; times are wall seconds (UTC)."""

import json
from datetime import UTC, datetime
from typing import Any

from workerd.daemon.io.child_output import KEPT_BYTES
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.clock import Clock
from workerd.daemon.rules.dues import Due, Gap
from workerd.daemon.rules.outcome import ExitStatus
from workerd.wire.labels import labels_of
from workerd.wire.reasons import public_part
from workerd.wire.spec import JobSpec
from workerd.wire.words import FAILURES, GOOD, Outcome, Trigger

from .slot import LiveSlot
from .waiting import explain

EXCEPTION_BYTES = 8_000
TRACEBACK_BYTES = 48_000
LAST_LINES_BYTES = KEPT_BYTES
"""Limits in bytes of JSON, where a control character takes six: a run's row must fit into one message."""


def run_row(
    child: Child,
    slot: LiveSlot,
    end: ExitStatus | None = None,
    outcome: Outcome | None = None,
    ended: float | None = None,
    *,
    samples: str = "",
) -> dict[str, Any]:
    """Return the whole row of a run as it is now; ``samples`` are those of a run that has ended."""
    failed = child.failed
    bad = outcome is not None and outcome not in GOOD
    return {
        "job_id": slot.spec.id,
        "job_name": slot.spec.name,
        "slot": slot.name,
        "index": slot.index,
        "generation": child.generation,
        "pid": child.pid,
        "born": child.born_wall,
        "ready": child.ready_wall,
        "ended": ended,
        "outcome": outcome.value if outcome else "",
        "reason": _head(slot.end_reason, EXCEPTION_BYTES) if outcome else "",
        "exit_code": end.code if end else None,
        "signal": (end.signal_name or "") if end else "",
        "exception": _head(f"{failed.exception}: {failed.message}" if failed else child.refusal, EXCEPTION_BYTES),
        "traceback": _tail(failed.traceback, TRACEBACK_BYTES) if failed else "",
        "stack": _tail(child.stack, TRACEBACK_BYTES),
        "note": child.page.read_note(),
        "peak_memory": child.growth.peak,
        "connections_opened": child.page.connections_opened,
        "connections_closed": child.page.connections_closed,
        "longest_silence": child.page.longest_silence,
        "last_lines": _last_lines(child) if bad else "",
        "due": child.due,
        "trigger": child.trigger,
        "samples": samples or None,
    }


def missed_row(slot: LiveSlot, gap: Gap) -> dict[str, Any]:
    """Return the row that stands for due moments that nothing ran for."""
    times = f"{gap.count} times until {iso_utc(gap.last)}: " if gap.count > 1 else ""
    return _without_child(slot, gap.first) | {
        "born": gap.first,
        "ended": gap.first,
        "outcome": Outcome.MISSED.value,
        "trigger": (Trigger.OPERATOR if gap.trigger == Trigger.OPERATOR else Trigger.SCHEDULE).value,
        "reason": _head(times + gap.reason, EXCEPTION_BYTES),
        "missed": gap.count,
    }


def registered_row(slot: LiveSlot, due: Due, now: float) -> dict[str, Any]:
    """Return the row of a run that is about to begin, written before it does."""
    return _without_child(slot, due.moment) | {"born": now, "trigger": due.trigger.value}


def _without_child(slot: LiveSlot, moment: float) -> dict[str, Any]:
    spec = slot.spec
    place = {"job_id": spec.id, "job_name": spec.name, "slot": slot.name, "index": slot.index}
    return {**place, "due": moment, "trigger": Trigger.SCHEDULE.value, "outcome": "", "reason": ""}


def iso_utc(moment: float) -> str:
    """Return a wall moment as logs show it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def slot_row(slot: LiveSlot, clock: Clock) -> dict[str, Any]:
    """Return the whole row of a slot as it is now."""
    child, dues, reason = slot.child, slot.dues, explain(slot)
    beat = child.last_beat_wall(clock) if child is not None else None
    return {
        "job_id": slot.spec.id,
        "job_name": slot.spec.name,
        "index": slot.index,
        "name": slot.name,
        "state": slot.shown_state.value,
        "reason": reason,
        "public_reason": public_part(reason),
        "since": slot.since_wall,
        "pid": child.pid if child is not None else None,
        "restarts": slot.restarts,
        "next_start": slot.next_start_wall or (dues.next if dues is not None else None),
        "note": child.page.read_note() if child is not None else "",
        "memory": child.growth.seen if child is not None else None,
        "last_beat": beat,
        "longest_silence": child.page.longest_silence if child is not None else None,
        "run": child.run if child is not None else None,
        "generation": child.generation or None if child is not None else None,
        "due": dues.taken.moment if dues is not None and dues.taken is not None else None,
        "settled_until": dues.settled if dues is not None else None,
        "last_success": dues.last_success if dues is not None else None,
        "due_rule": rule_text(slot.spec) if dues is not None else "",
    }


def live_row(slot: LiveSlot) -> dict[str, Any]:
    """Return what ``status`` shows of a slot beside its row."""
    dues, child = slot.dues, slot.child
    return {
        "builtin": slot.builtin,
        "wanted": slot.wanted,
        "significant": slot.spec.significant,
        "down": slot.is_down,
        "fleet": slot.spec.is_fleet,
        "processor_s": round(slot.processor_s, 2) if slot.is_measured else None,
        "descriptors": child.usage.descriptors if child is not None else None,
        "threads": child.usage.threads if child is not None else None,
        "token": slot.seat.token if slot.seat is not None else None,
        "schedule": slot.spec.schedule,
        "labels": labels_of(slot.spec.labels),
        "resting": slot.is_resting,
        "next_due": dues.next if dues is not None else None,
        "missed": dues.missed if dues is not None else None,
        "due_failed": dues.outcome in FAILURES if dues is not None else None,
    }


def rule_text(spec: JobSpec) -> str:
    """Return what a slot's due moments are found by; after an edit, nothing of before is made up for."""
    return f"{spec.schedule} · {spec.time_zone} · {spec.spread:g}"


def _last_lines(child: Child) -> str:
    return _tail(b"\n".join(child.output.last_lines).decode("utf-8", "replace"), LAST_LINES_BYTES)


def _tail(text: str, limit: int) -> str:
    """Return as much of the end of ``text`` as has at most ``limit`` bytes in JSON."""
    return _head(text[::-1], limit)[::-1]


def _head(text: str, limit: int) -> str:
    text = text[:limit]
    while (size := len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass"))) > limit:
        text = text[: len(text) * limit // size]
    return text

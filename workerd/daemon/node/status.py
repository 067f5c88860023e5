"""The daemon's own account of itself: the snapshot that ``status`` shows, and the line of ``systemctl status``."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from workerd.daemon.io.loop import Timer
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.reasons import public_part
from workerd.wire.words import FAILURES, Outcome, State

from .alerts import Alerts
from .observer import Counters
from .parts import Parts
from .readiness import Readiness
from .reloading import Reloading
from .shutdown import Shutdown

UNHEALTHY = FAILURES | {Outcome.MISSED}
OVERDUE_S = 60.0
"""The daemon notices every due moment sooner than this, unless it does not look."""
SLOTS_A_PART = 50
REST_S = 0.5
"""However much changes, the line is written no more often than this."""


class Status:
    """Tells what the daemon is and how every slot stands, from memory alone."""

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        parts: Parts,
        shutdown: Shutdown,
        readiness: Readiness,
        reloading: Reloading,
        counters: Counters | None,
        alerts: Alerts,
    ) -> None:
        self._parts = parts
        self._shutdown = shutdown
        self._readiness = readiness
        self._reloading = reloading
        self._counters = counters
        self._alerts = alerts

    def snapshot(self) -> dict[str, Any]:
        """Return plain values; times are wall seconds (UTC)."""
        return {**self._all_but_slots(), "slots": list(self._parts.slot_set.snapshot())}

    def parts(self) -> Iterator[bytes]:
        """Yield the same as the pieces of one JSON object, with “ok”: of thousands of slots a few at a time."""
        yield json.dumps({"ok": True, **self._all_but_slots()}, default=str).encode()[:-1]
        slots, comma = self._parts.slot_set.snapshot(), b', "slots": ['
        while few := list(islice(slots, SLOTS_A_PART)):
            yield comma + json.dumps(few, default=str).encode()[1:-1]
            comma = b", "
        yield b"]}" if comma == b", " else b', "slots": []}'

    def _all_but_slots(self) -> dict[str, Any]:
        counted = self._counters.snapshot() | self._parts.ends.snapshot() if self._counters is not None else None
        return {"daemon": self._daemon(), **({"counters": counted} if counted is not None else {})}

    def _daemon(self) -> dict[str, Any]:
        parts, config, forkserver = self._parts, self._parts.config, self._parts.generations.current
        slots = list(parts.slot_set.job_slots())
        return {
            "name": config.name,
            "host": config.host,
            "pid": os.getpid(),
            "version": config.version,
            "started": parts.started,
            "ready": self._readiness.reached,
            "longest_turn_ms": round(parts.loop.longest_turn_s * 1000, 1),
            "busiest_turn_ms": round(parts.loop.busiest_turn_s * 1000, 1),
            "stopping": self._shutdown.begun,
            "generation": forkserver.generation if forkserver is not None else None,
            "forkserver_pid": forkserver.pid if forkserver is not None else None,
            "forkserver_ready": forkserver is not None,
            "forkserver_trouble": self._forkserver_trouble(),
            "public_forkserver_trouble": public_part(self._forkserver_trouble()),
            "reload": self._reloading.account,
            "halted": bool(self._reloading.halt),
            "rejected": self._reloading.rejected,
            "drain": parts.drain.account,
            "database": self._database(),
            "key": parts.identity.key,
            "life": parts.identity.life,
            "misfits": dict(parts.slot_set.misfits),
            "log_trouble": parts.stdout.trouble,
            "unjournaled": parts.records.unacknowledged,
            "waiting": parts.ledger.waiting,
            "set_aside": parts.ledger.set_aside,
            "alerts_unsent": self._alerts.unsent,
            "leftovers": [
                {"pid": left.pid, "name": left.name, "job": left.identity.get("job"), "reason": left.stuck}
                for left in (*parts.earlier.stuck(), *parts.leftovers.stuck())
            ],
            "significant_parked": [
                slot.name for slot in slots if slot.spec.significant and slot.shown_state is State.PARKED
            ],
            "significant_failed": [
                {"slot": slot.name, "outcome": slot.dues.outcome.value}
                for slot in slots
                if slot.spec.significant and slot.dues is not None and slot.dues.outcome in UNHEALTHY
            ],
            "unheld": [
                {"slot": slot.name, "job": slot.spec.name, "reason": reason}
                for slot, reason in parts.fleet.elsewhere.missed()
            ],
            "overdue": [slot.name for slot in slots if self._is_overdue(slot)],
        }

    def _is_overdue(self, slot: LiveSlot) -> bool:
        """Return whether a due moment has passed that the calendar has not noticed: a fault of workerd's own."""
        following = slot.dues.next if slot.dues is not None and slot.wanted else None
        return following is not None and following < self._parts.clock.wall() - OVERDUE_S

    def _forkserver_trouble(self) -> str:
        generations = self._parts.generations
        return "" if generations.current is not None else self._parts.earlier.delay() or generations.obstacle()

    def _database(self) -> dict[str, Any]:
        database = self._parts.database
        return {
            "reachable": database.reachable,
            "out_since": database.out_since,
            "vendor": database.vendor,
            "trouble": database.trouble,
            "push": self._parts.ledger.push,
        }


class StatusLine:
    """Tells the service manager how things are, a moment after they have changed; silent where none listens."""

    def __init__(self, parts: Parts, shutdown: Shutdown, reloading: Reloading) -> None:
        self._parts = parts
        self._shutdown = shutdown
        self._reloading = reloading
        self._timer: Timer | None = None
        parts.lifecycle.on_changed.add(lambda _slot: self.wake())
        parts.ledger.on_heard.add(self.wake)
        reloading.on_changed.add(self._write_now)

    def wake(self) -> None:
        """Write the line soon, as something may have changed."""
        if self._timer is None and self._parts.sd_notifier.listened_to:
            self._timer = self._parts.loop.call_in(REST_S, self._write)

    def _write_now(self) -> None:
        """Write the line before the service manager is told that a reload has ended."""
        if self._parts.sd_notifier.listened_to:
            self._write()

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._parts.sd_notifier.status(self.text())

    def text(self) -> str:
        """Return the line: how many slots run, how the database is, and how the last reload."""
        if self._shutdown.begun:
            return f"stopping: {public_part(self._shutdown.begun)}"  # every user of the machine may ask systemd
        slots = list(self._parts.slot_set.job_slots())
        always = [slot for slot in slots if not slot.runs_at_times]
        running = f"{sum(slot.is_running for slot in always)} of {sum(slot.wanted for slot in always)} running"
        running += _tell_scheduled([slot for slot in slots if slot.runs_at_times and slot.wanted])
        if parked := sum(slot.is_parked for slot in slots):
            running += f", {parked} parked"
        reload = public_part(self._reloading.account)
        return "; ".join(part for part in (running, self._database(), reload and f"reload: {reload}") if part)

    def _database(self) -> str:
        database = self._parts.database
        if database.reachable is None:
            return "database not known"
        if database.reachable:
            return f"database reachable ({database.vendor})"
        return ": ".join(part for part in ("database OUT", database.trouble.public) if part)


def _tell_scheduled(slots: list[LiveSlot]) -> str:
    """Return how many slots run at times, how many of them run now, and when the next one does."""
    if not slots:
        return ""
    running = sum(slot.is_alive for slot in slots)
    coming = [slot.dues.next for slot in slots if slot.dues is not None and slot.dues.next is not None]
    following = f"next {datetime.fromtimestamp(min(coming), UTC):%a %H:%M} UTC" if coming else ""
    details = ", ".join(part for part in (f"{running} running" if running else "", following) if part)
    return f", {len(slots)} scheduled" + (f" ({details})" if details else "")

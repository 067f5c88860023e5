"""Tells when the daemon is up: each wanted slot has been started once, or the database that names them is out."""

from workerd.daemon.slots.slot import LiveSlot

from .parts import Parts

MARGIN_S = 60.0
"""Those that have waited have this long to start themselves before the service manager's own limit counts again."""


class Readiness:
    """Told once, to the log and to the service manager."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._since = parts.clock.monotonic()
        self.reached = False
        self._awaited: LiveSlot | None = None
        """One of those that were not started at the last look: it is asked first, as every turn ends with a look."""
        parts.gate.on_waiting.add(self._ask_for_time)

    def look(self) -> None:
        """Say, at the end of a turn, that the daemon is ready as soon as it is."""
        if self.reached:
            return
        parts = self._parts
        is_out = parts.database.reachable is False
        if not is_out and self._awaited is not None and _is_to_start(self._awaited):
            return
        wanted = [slot for slot in parts.slot_set.job_slots() if slot.wanted]
        self._awaited = next(filter(_is_to_start, reversed(wanted)), None)  # the first one is started sooner
        if is_out or (parts.ledger.listed and self._awaited is None):
            self.reached = True
            seconds = round(parts.clock.monotonic() - self._since, 3)
            parts.log.emit("daemon.ready", slots=len(wanted), seconds=seconds)
            parts.sd_notifier.ready()

    def _ask_for_time(self, seconds: float) -> None:
        """Have the service manager wait as long as a slot may wait for others."""
        if not self.reached:
            self._parts.sd_notifier.starting(seconds + MARGIN_S)


def _is_to_start(slot: LiveSlot) -> bool:
    return slot.wanted and not slot.started_once

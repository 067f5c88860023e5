"""The warden: a thread that looks at a clock alone, and kills what the daemon has not by the deadline of its seat.

It works while the database hangs and while the daemon is stopped.
"""

import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from workerd.forksafe.events import emit
from workerd.wire.lease import boot_time
from workerd.wire.messages import Alive

from .processes import find_marked, kill_group, kill_marked, run_of
from .window import Place

LATE_S = 0.05
"""The seconds after the deadline that the daemon has, to kill by itself."""
AGAIN_S = 0.1
"""How soon it looks again at what it has killed."""
LONGEST_WAIT_S = 0.25
"""The thread's own waits do not count the machine's sleep, as deadlines do."""


class Ward(NamedTuple):
    """A process of a seat, which leads its group."""

    place: Place
    token: int
    pid: int
    started: int
    """In clock ticks since the boot: it tells the process from a later one of its pid."""
    deadline: float
    run: str
    """The mark of its run, which all that it starts carries; "" where it could not be read."""


class Warden:
    """Knows, from each ``Alive``, whom the daemon has to have killed by when; has a thread while there is anybody."""

    def __init__(self, clock: Callable[[], float] = boot_time) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._wards: dict[tuple[int, int], Ward] = {}
        """By pid and start."""
        self._killed: set[tuple[int, int]] = set()
        self._thread: threading.Thread | None = None

    def hear(self, alive: Alive) -> None:
        """Take what the daemon says of its processes in place of what it said before."""
        with self._changed:
            wards = (self._ward(seat) for seat in alive.seats)
            self._wards = {(ward.pid, ward.started): ward for ward in wards if ward is not None}
            self._killed &= self._wards.keys()
            if self._wards and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="warden", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _ward(self, seat: list[Any]) -> Ward | None:
        """Return the process of a seat; one that goes on without the database has no deadline."""
        job_id, index, token, pid, started, deadline, *_ = seat
        if pid is None or deadline is None:
            return None
        before = self._wards.get((pid, started))
        run = before.run if before is not None and before.run else run_of(pid, started)
        return Ward((job_id, index), token, pid, started, deadline, run)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._wards:
                    self._thread = None
                    return
                self._changed.wait(self._wait_s())
                self._read_marks()
                overdue = self._overdue()
            try:
                self.end(overdue)
            except Exception as error:  # noqa: BLE001 - whatever it is, it goes on with the others; an event says it
                emit("seats.failed", reason=f"{type(error).__name__}: {error}", traceback=traceback.format_exc())

    def _read_marks(self) -> None:
        """Read the marks that a process had not taken on yet when the daemon named it: it may be named never again."""
        for key, ward in self._wards.items():
            if not ward.run:
                self._wards[key] = ward._replace(run=run_of(ward.pid, ward.started))

    def _wait_s(self) -> float:
        if self._killed:
            return AGAIN_S
        due = min(ward.deadline for ward in self._wards.values()) + LATE_S - self._clock()
        return min(max(due, 0.0), LONGEST_WAIT_S)

    def _overdue(self) -> list[Ward]:
        now = self._clock()
        return [ward for ward in self._wards.values() if now >= ward.deadline + LATE_S]

    def end(self, overdue: Sequence[Ward]) -> None:
        """Kill the groups at once, and then what carries their marks; forget those of which nothing is left."""
        alive = {ward for ward in overdue if kill_group(ward.pid, ward.started)}
        for ward in overdue:
            others = [pid for pid in find_marked(ward.run) if kill_marked(pid, ward.run)] if ward.run else []
            key = ward.pid, ward.started
            if (ward in alive or others) and key not in self._killed:
                late_s = round(self._clock() - ward.deadline, 2)
                outside = len({*others} - {ward.pid})
                emit("seat.ended_by_ledger", child_pid=ward.pid, token=ward.token, late_s=late_s, others=outside)
            with self._changed:
                self._killed.add(key)
                if ward not in alive and not others:
                    self._wards.pop(key, None)
                    self._killed.discard(key)

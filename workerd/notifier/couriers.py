"""The ways out, each with a thread: what they are given, what became of it, and what hangs."""

import time
from collections.abc import Callable, Sequence

from workerd.forksafe.events import emit

from .departures import Parcel
from .outbox import Outbox
from .runner import Done, Runner
from .ways.all_ways import NamedWay
from .ways.project import OnceError
from .ways.way import RefusedError

STUCK_S, TOO_LONG_S = 60.0, 300.0
SAY_EVERY_S = 60.0


class Courier:
    """One way out, and the thread that it sends in."""

    def __init__(self, way: NamedWay, wake: Callable[[], None]) -> None:
        self.way = way
        self.runner: Runner[Parcel, None] = Runner(way.name, lambda parcel: way.way.send(parcel.alert), wake)
        self._say_at = -SAY_EVERY_S
        self._kept_back = 0

    def tell_failed(self, parcel: Parcel, reason: str, retry_s: float) -> None:
        """Log that a try has failed, once a minute at the most."""
        now = time.monotonic()
        if now - self._say_at < SAY_EVERY_S:
            self._kept_back += 1
            return
        counted = {"kept_back": self._kept_back} if self._kept_back else {}
        self._say_at, self._kept_back = now, 0
        named = name_of(parcel, self.way.name)
        emit("alert.failed", **named, reason=reason, retry_s=round(retry_s, 1), **counted)


class Couriers:
    """All ways out. What hangs in one holds up no other."""

    def __init__(
        self, ways: Sequence[NamedWay], outbox: Outbox, wake: Callable[[], None], on_sent: Callable[[Parcel], None]
    ) -> None:
        self._outbox = outbox
        self._on_sent = on_sent
        self._couriers = [Courier(way, wake) for way in ways]

    def start(self) -> None:
        for courier in self._couriers:
            courier.runner.start()

    @property
    def busy(self) -> bool:
        return any(courier.runner.busy_for is not None for courier in self._couriers)

    def turn(self) -> None:
        """Note what was done, and give each way that is free what it is to send next."""
        for courier in self._couriers:
            done = courier.runner.collect()
            if done is not None:
                self._note(courier, done)
            if courier.runner.busy_for is None:
                parcel = self._outbox.next_for(courier.way.name, time.time())
                if parcel is not None:
                    courier.runner.give(parcel)

    def find_stuck(self) -> bool:
        """Log which way hangs; return whether one has hung for too long."""
        too_long = False
        for courier in self._couriers:
            seconds = courier.runner.busy_for or 0.0
            if seconds > STUCK_S and not courier.runner.said_stuck:
                courier.runner.said_stuck = True
                emit("alert.stuck", way=courier.way.name, seconds=round(seconds))
            too_long = too_long or seconds > TOO_LONG_S
        return too_long

    def _note(self, courier: Courier, done: Done[Parcel, None]) -> None:
        way, parcel, now = courier.way, done.item, time.time()
        if done.error is None or isinstance(done.error, OnceError):
            self._outbox.sent(way.name, parcel, now)
            self._on_sent(parcel)
            if done.error is None:
                emit("alert.sent", **name_of(parcel, way.name))
            else:
                courier.tell_failed(parcel, way.tell(done.error), 0.0)
            return
        reason = way.tell(done.error)
        retry_at = self._outbox.failed(way.name, parcel, now, refused=isinstance(done.error, RefusedError))
        if retry_at is None:
            emit("alert.set_aside", **name_of(parcel, way.name), reason=reason)
        else:
            courier.tell_failed(parcel, reason, retry_at - now)


def name_of(parcel: Parcel, way: str) -> dict[str, str]:
    """Return the fields by which every event about a message names it."""
    alert = parcel.alert
    return {"key": alert.key, "kind": alert.kind, "state": alert.state, "way": way, "id": alert.id}

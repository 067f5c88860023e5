"""Reads the daemon's messages to the ledger in batches, so that one commit of the journal serves many records."""

import select
from collections.abc import Callable

from workerd.forksafe.events import emit
from workerd.wire.channel import Channel
from workerd.wire.messages import (
    Alive,
    Drain,
    Draining,
    Message,
    PassOn,
    Record,
    RolloutWanted,
    Sampled,
    SeatDeclined,
    SeatReleased,
    SeatSettled,
    StopSeats,
    WeighDrain,
)
from workerd.wire.packets import WireError

MOST_RECORDS = 500
ABOUT_SEATS = (
    Alive,
    SeatReleased,
    SeatSettled,
    SeatDeclined,
    Draining,
    RolloutWanted,
    StopSeats,
    PassOn,
    WeighDrain,
)


class Inbox:
    """The reading side of the channel."""

    def __init__(
        self,
        channel: Channel,
        on_seats: Callable[[Message], None] = lambda _: None,
        on_samples: Callable[[Sampled], None] = lambda _: None,
    ) -> None:
        """``on_seats`` is told, in the thread that reads, what the daemon says of its seats; ``on_samples`` too."""
        self._channel = channel
        self._on_seats = on_seats
        self._on_samples = on_samples
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)
        self.closed = False
        """Whether the daemon is gone."""
        self.drain_asked = False
        self._other: int | None = None

    def also_wake_for(self, descriptor: int | None) -> None:
        """From now on, let ``descriptor`` (of the database connection) end a wait too when it is readable."""
        if descriptor != self._other:
            if self._other is not None:
                self._poll.unregister(self._other)
            if descriptor is not None:
                self._poll.register(descriptor, select.POLLIN)
            self._other = descriptor

    def read(self, timeout_s: float) -> list[Record]:
        """Wait at most ``timeout_s`` for the daemon, then return the records that have come."""
        records: list[Record] = []
        wait_ms = max(0, int(timeout_s * 1000) + (timeout_s > 0))
        while len(records) < MOST_RECORDS and not self.closed and self._has_come(0 if records else wait_ms):
            try:
                message, _ = self._channel.receive()
            except WireError as error:
                emit("protocol.violated", reason=f"the ledger does not understand the daemon: {error}")
                break
            except ConnectionError:
                message = None
            if isinstance(message, Record):
                records.append(message)
            elif isinstance(message, Drain):
                self.drain_asked = True
                break
            elif isinstance(message, ABOUT_SEATS):
                self._on_seats(message)
            elif isinstance(message, Sampled):
                self._on_samples(message)
            elif message is None:
                self.closed = True
        return records

    def _has_come(self, wait_ms: int) -> bool:
        return any(descriptor == self._channel.fileno() for descriptor, _ in self._poll.poll(wait_ms))

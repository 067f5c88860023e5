"""Reads the daemon's messages to the notifier in batches, so that one commit of the journal serves many alerts."""

import os
import select

from workerd.forksafe.events import emit
from workerd.wire.channel import Channel
from workerd.wire.messages import AlertChanged, AlertsListed
from workerd.wire.packets import WireError

MOST_CHANGES = 500


class Inbox:
    """The reading side of the channel, and what wakes the main loop from other threads."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        self.closed = False
        """Whether the daemon has closed the channel, or is gone."""

    def wake(self) -> None:
        """End the wait; any thread may call this."""
        os.eventfd_write(self._woken, 1)

    def read(self, timeout_s: float) -> list[AlertChanged | AlertsListed]:
        """Wait at most ``timeout_s`` for the daemon or a wake; return what has come, in its order."""
        messages: list[AlertChanged | AlertsListed] = []
        wait_ms = max(0, int(timeout_s * 1000))
        while len(messages) < MOST_CHANGES:
            ready = {descriptor for descriptor, _ in self._poll.poll(0 if messages else wait_ms)}
            if self._woken in ready:
                os.eventfd_read(self._woken)
                wait_ms = 0
            if self._channel.fileno() not in ready or not self._receive(messages):
                break
        return messages

    def stop_reading(self) -> None:
        """Wait for other threads alone from now on."""
        self._poll.unregister(self._channel.fileno())

    def _receive(self, messages: list[AlertChanged | AlertsListed]) -> bool:
        """Read one message; return whether more may follow at once."""
        try:
            message, _ = self._channel.receive()
        except WireError as error:
            emit("protocol.violated", reason=f"the notifier does not understand the daemon: {error}")
            return False
        except ConnectionError:
            message = None
        if isinstance(message, AlertChanged | AlertsListed):
            messages.append(message)
        elif message is None:
            self.closed = True
        return message is not None

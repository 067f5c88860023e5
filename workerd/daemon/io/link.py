"""The daemon's end of a channel: it sends without waiting, and hands each message that comes to its owner."""

import os
from collections import deque
from collections.abc import Callable, Sequence

from workerd.wire.channel import Channel
from workerd.wire.messages import Message
from workerd.wire.packets import WireError

from .loop import READ, WRITE, Loop

MESSAGES_A_TURN = 64
"""The most that is read from one peer in one turn of the loop."""
LAST_MESSAGES = 1024
"""More than a socket holds. If more come, a grandchild is still writing."""


class Link:
    """A non-blocking channel with an outbox.

    ``on_end`` is called once, at end-of-file or when the connection breaks. ``on_nonsense`` is called for bytes that
    are no message, and for a message that is too large to send.
    """

    def __init__(
        self,
        loop: Loop,
        channel: Channel,
        on_message: Callable[[Message], None],
        on_end: Callable[[], None],
        on_nonsense: Callable[[WireError], None],
    ) -> None:
        self._loop = loop
        self._channel = channel
        self._on_message = on_message
        self._on_end = on_end
        self._on_nonsense = on_nonsense
        self._outbox: deque[tuple[Message, Sequence[int]]] = deque()
        self.open = True
        channel.socket.setblocking(False)
        loop.watch(channel.fileno(), READ, self._ready)

    @property
    def waiting(self) -> int:
        """How many messages the peer has not taken yet."""
        return len(self._outbox)

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send now, or when the peer can take it. The link closes ``descriptors`` once they are sent or cannot be."""
        if not self.open:
            _close_all(descriptors)
            return
        self._outbox.append((message, descriptors))
        if len(self._outbox) == 1:
            self._flush()

    def read_all(self) -> None:
        """Read all that the peer has sent so far, up to end-of-file; called before the exit of a child is judged."""
        for _ in range(LAST_MESSAGES):
            if not (self.open and self._read_one()):
                break

    def close(self) -> None:
        """Close without a call of ``on_end``; the peer reads end-of-file."""
        if self.open:
            self.open = False
            self._loop.unwatch(self._channel.fileno())
            self._channel.close()
            for _, descriptors in self._outbox:
                _close_all(descriptors)
            self._outbox.clear()

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & READ:
            for _ in range(MESSAGES_A_TURN):
                if not (self.open and self._read_one()):
                    break

    def _read_one(self) -> bool:
        try:
            message, descriptors = self._channel.receive()
        except BlockingIOError:
            return False
        except WireError as error:
            self._on_nonsense(error)
            return True
        except OSError:
            message, descriptors = None, []
        _close_all(descriptors)  # no peer has reason to send any; unexpected ones must not pile up
        if message is None:
            self._end()
            return False
        self._on_message(message)
        return True

    def _flush(self) -> None:
        while self._outbox:
            message, descriptors = self._outbox[0]
            try:
                self._channel.send(message, descriptors)
            except BlockingIOError:
                break
            except WireError as error:  # too large: dropped, or all that wait behind it would wait for ever
                self._on_nonsense(error)
            except OSError:
                return self._end()
            self._outbox.popleft()
            _close_all(descriptors)
        self._loop.watch(self._channel.fileno(), READ | WRITE if self._outbox else READ, self._ready)
        return None

    def _end(self) -> None:
        if self.open:
            self.close()
            self._on_end()


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)

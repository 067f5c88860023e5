"""A message as bytes, and back: what one of our processes sends is checked by the one that reads it."""

import json

from .messages import Message

MAX_PACKET_BYTES = 160 * 1024
"""A packet must fit an unprivileged socket's buffer (net.core.wmem_max is 208 KiB by default)."""


class WireError(Exception):
    """The bytes are no message of this wire version."""

    def __init__(self, reason: str, packet: bytes = b"") -> None:
        super().__init__(f"{reason}: {packet[:120]!r}" if packet else reason)


def encode(message: Message) -> bytes:
    """Return the packet of ``message``; lone surrogates survive. Raises WireError above MAX_PACKET_BYTES."""
    text = json.dumps([type(message).__name__, message.to_dict()], ensure_ascii=False, separators=(",", ":"))
    packet = text.encode("utf-8", "surrogatepass")
    if len(packet) > MAX_PACKET_BYTES:
        raise WireError(f"{type(message).__name__} has {len(packet)} bytes, more than {MAX_PACKET_BYTES}")
    return packet


def decode(packet: bytes) -> Message:
    """Return the message in ``packet``. Raises WireError for anything but one of ours with fields of our types."""
    try:
        kind, values = json.loads(packet.decode("utf-8", "surrogatepass"))
        message = Message.kinds[kind](**values)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WireError(f"not a message ({error!r:.200})", packet) from error
    for name, accepted in message.fields.items():
        found = type(getattr(message, name))  # exactly: to isinstance, true is a number
        if found not in accepted:
            raise WireError(f"{kind}.{name} is {found.__name__}", packet)
    return message

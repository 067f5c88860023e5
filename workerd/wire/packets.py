"""Turns a message into bytes, and bytes into a message; a process trusts no packet of another."""

import json

from workerd.errors import WorkerdError

from .messages import Message

MAX_PACKET_BYTES = 160 * 1024
"""A packet must fit the buffer of an unprivileged socket, by default 208 KiB (net.core.wmem_max)."""

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # json.dumps makes one at each call


class WireError(WorkerdError):
    """A packet is no message of this version of the wire, or is too large to be one."""

    def __init__(self, reason: str, packet: bytes = b"") -> None:
        super().__init__(f"{reason}: {packet[:120]!r}" if packet else reason)


def encode(message: Message) -> bytes:
    """Return the packet of ``message``; lone surrogates survive. Raises WireError above MAX_PACKET_BYTES."""
    packet = _to_json([type(message).__name__, message.to_dict()]).encode("utf-8", "surrogatepass")
    if len(packet) > MAX_PACKET_BYTES:
        raise WireError(f"{type(message).__name__} has {len(packet)} bytes, more than {MAX_PACKET_BYTES}")
    return packet


def decode(packet: bytes) -> Message:
    """Return the message in ``packet``. Raises WireError unless it is one of ours, with fields of our types."""
    try:
        kind, values = json.loads(packet.decode("utf-8", "surrogatepass"))
        message = Message.kinds[kind](**values)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WireError(f"not a message ({error!r:.200})", packet) from error
    for name, accepted in message.fields.items():
        found = type(getattr(message, name))  # not isinstance: to that, true is a number
        if found not in accepted:
            raise WireError(f"{kind}.{name} is {found.__name__}", packet)
    return message

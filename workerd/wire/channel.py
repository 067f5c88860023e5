"""One end of a socket pair. Each packet carries one message, and descriptors where the sender adds them."""

import array
import os
import socket
from collections.abc import Sequence

from .messages import Message
from .packets import MAX_PACKET_BYTES, WireError, decode, encode

MAX_DESCRIPTORS = 4


class Channel:
    """A SOCK_SEQPACKET end: packets stay whole, so no message is read in halves. Blocks or not as the socket is set."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    @classmethod
    def pair(cls) -> tuple["Channel", "Channel"]:
        """Return two connected ends; they block, and are closed on exec."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), cls(theirs)

    @classmethod
    def from_descriptor(cls, descriptor: int) -> "Channel":
        """Take over an inherited descriptor."""
        return cls(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=descriptor))

    def fileno(self) -> int:
        """Return the descriptor, or -1 after ``close``."""
        return self.socket.fileno()

    def close(self) -> None:
        """Close this end; the other one reads end-of-file."""
        self.socket.close()

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message. Raises BlockingIOError if the socket is full, BrokenPipeError if the other end is closed."""
        packet = encode(message)
        if descriptors:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
            self.socket.sendmsg([packet], rights, socket.MSG_NOSIGNAL)
        else:
            self.socket.send(packet, socket.MSG_NOSIGNAL)

    def receive(self) -> tuple[Message | None, list[int]]:
        """Return the next message and its descriptors (close-on-exec), or (None, []) at end-of-file.

        Raises WireError for bytes that are no message, after closing their descriptors, and OSError as recvmsg does.
        """
        # Not socket.recv_fds: on Python 3.11 it drops the flags, and MSG_CMSG_CLOEXEC with them.
        space = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)
        packet, ancillary, _, _ = self.socket.recvmsg(MAX_PACKET_BYTES, space, socket.MSG_CMSG_CLOEXEC)
        descriptors = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        try:
            return (decode(packet) if packet else None), list(descriptors)
        except WireError:
            for descriptor in descriptors:
                os.close(descriptor)
            raise

"""Tells systemd (sd_notify(3)): ready, reloading, stopping, the status line, and that the loop turns."""

import os
import socket
import time
from contextlib import suppress

from workerd.wire.visible import visible

from .loop import Loop


class SdNotifier:
    """Sends datagrams to NOTIFY_SOCKET without waiting; does nothing if there is no such socket."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        # Taken out of the environment: no process that the daemon starts may speak for the service.
        address = os.environ.pop("NOTIFY_SOCKET", "")
        period = os.environ.pop("WATCHDOG_USEC", "")
        for_us = os.environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._period_s = int(period) / 1e6 / 2 if period.isdigit() and for_us and self._address else 0.0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if self._address else None
        self._status = ""
        self._is_due = False

    @property
    def listened_to(self) -> bool:
        """Whether there is a service manager to tell."""
        return self._socket is not None

    def start(self) -> None:
        """Say from now on that the loop turns, twice in the time that systemd allows. Call it last before the loop."""
        if self._period_s:
            self._loop.at_turn_end(self._feed)
            self._loop.call_soon(self._become_due)

    def _become_due(self) -> None:
        self._is_due = True
        self._loop.call_in(self._period_s, self._become_due)

    def _feed(self) -> None:
        """Say it at the end of a turn: a turn that was completed is the sign of life, a timer alone is not."""
        if self._is_due:
            self._is_due = False
            self.say("WATCHDOG=1")

    def starting(self, patience_s: float) -> None:
        """Say that the start may take ``patience_s`` from now on."""
        self.say(f"EXTEND_TIMEOUT_USEC={int(patience_s * 1e6)}")

    def ready(self) -> None:
        """Say that the service is up, or up again."""
        self.say("READY=1")

    def reloading(self) -> None:
        """Say that a reload has begun; the next ``ready`` says that it is done."""
        self.say(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, patience_s: float) -> None:
        """Say that the service stops, and that this may take ``patience_s``."""
        self.say(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int(patience_s * 1e6)}")

    def status(self, text: str) -> None:
        """Show a line in ``systemctl status``."""
        if text != self._status:
            self._status = text
            self.say(f"STATUS={visible(text)}")  # a line of a job's words would be a message of its own

    def say(self, message: str) -> None:
        """Send a message."""
        if self._socket is not None:
            with suppress(OSError):  # systemd does not read, or is gone: the next message says it again
                self._socket.sendto(message.encode(), socket.MSG_DONTWAIT, self._address)

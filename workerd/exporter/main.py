"""The exporter's main loop: it reads the log from the daemon, and two threads send it, until the channel is closed."""

import select
import time
from collections.abc import Sequence
from pathlib import Path

from workerd.title import show_title
from workerd.wire import exit_codes
from workerd.wire.channel import Channel
from workerd.wire.messages import Failed, License, Loaded
from workerd.wire.page import HeartbeatPage

from .lane import Lane
from .reader import Reader
from .teller import Teller

TURN_S = 1.0
LAST_S = 3.0
"""How long the end waits for what is still to be sent."""
MISSING = "OpenTelemetry is not installed: pip install 'django-workerd[otel]'"


def run_exporter(channel: Channel, page: HeartbeatPage) -> int:
    """Take the licence, and send until the daemon closes the channel; return the exit code."""
    message, _ = channel.receive()
    if not isinstance(message, License):
        return exit_codes.DONE
    name, kwargs = message.spec["name"], message.spec["kwargs"]
    show_title(f"workerd: {message.node} {name}", name)
    try:
        from .collector import make_lanes  # it imports OpenTelemetry
    except ImportError as error:
        channel.send(Failed(type(error).__name__, f"{MISSING} ({error})", ""))
        return exit_codes.FAILED
    lanes = make_lanes(kwargs["endpoint"], message.node, message.host, kwargs["version"])
    channel.send(Loaded())
    return Exporter(channel, page, Reader(Path(kwargs["state_dir"]), message.node), lanes, Teller(message)).run()


class Exporter:
    """The parts of an exporter that runs."""

    def __init__(
        self, channel: Channel, page: HeartbeatPage, reader: Reader, lanes: Sequence[Lane], teller: Teller
    ) -> None:
        self._channel = channel
        self._page = page
        self._reader = reader
        self._lanes = lanes
        self._teller = teller

    def run(self) -> int:
        """Read and send; return the exit code."""
        for lane in self._lanes:
            lane.start()
        while all(lane.is_alive for lane in self._lanes):
            self._page.beat()
            patience = 0.0 if self._reader.has_more else TURN_S
            ready, _, _ = select.select([self._channel.fileno()], (), (), patience)
            ended = bool(ready) and self._channel.receive()[0] is None
            self._read()
            self._tell()
            if ended:
                self._end()
                return exit_codes.DONE
        return exit_codes.OWN_FAULT  # its traceback is in the log, and the daemon starts another one

    def _read(self) -> None:
        """Take over all that the daemon has, as far as it answers."""
        sent = min((lane.sent for lane in self._lanes), default=self._reader.number)
        for number, own, line in self._reader.read(sent):
            for lane in self._lanes:
                lane.put(number, own, line)
            self._page.beat()
        if missed := self._reader.take_missed():
            self._teller.dropped("lines", missed, "more came than the daemon keeps")

    def _tell(self) -> None:
        for lane in self._lanes:
            self._teller.tell(lane)

    def _end(self) -> None:
        """Give what is still to be sent a moment, unless the collector is known to take nothing."""
        for lane in self._lanes:
            lane.end()
        deadline = time.monotonic() + LAST_S
        for lane in self._lanes:
            lane.wait_for_end(max(0.0, deadline - time.monotonic()))
            if left := lane.left:
                self._teller.dropped(lane.what, left, "the exporter ended before they could be sent")
        self._tell()
        self._teller.finish()

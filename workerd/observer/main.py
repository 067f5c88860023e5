"""The observer's main loop: listens at HTTP_BIND and answers until the daemon closes the channel."""

import select
import traceback
from pathlib import Path

from workerd.title import show_title
from workerd.wire import exit_codes
from workerd.wire.channel import Channel
from workerd.wire.messages import Failed, License, Loaded
from workerd.wire.page import HeartbeatPage

from .server import Server

TURN_S = 1.0


def run_observer(channel: Channel, page: HeartbeatPage) -> int:
    """Take the licence, and serve until the daemon closes the channel; return the exit code."""
    message, _ = channel.receive()
    if not isinstance(message, License):
        return exit_codes.DONE
    name, bind = message.spec["name"], message.spec["kwargs"]["bind"]
    show_title(f"workerd: {message.node} {name}", name)
    try:
        server = Server(bind, Path(message.spec["kwargs"]["state_dir"]), message.node)
    except OSError as error:
        sentence = f'WORKERD["HTTP_BIND"] {bind}: {error.strerror}'
        channel.send(Failed(type(error).__name__, sentence, traceback.format_exc()))
        return exit_codes.FAILED
    channel.send(Loaded())
    with server:
        while True:
            page.beat()
            server.end_overdue()
            ready, _, _ = select.select([channel.fileno(), server.fileno()], (), (), TURN_S)
            if channel.fileno() in ready and channel.receive()[0] is None:
                return exit_codes.DONE
            if server.fileno() in ready:
                server.handle_request()

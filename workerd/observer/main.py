"""The observer's main loop: listens at HTTP_BIND and answers until the daemon closes the channel."""

import select
import traceback

from workerd.conf import get_settings
from workerd.wire import exit_codes
from workerd.wire.channel import Channel
from workerd.wire.messages import Failed, License
from workerd.wire.page import HeartbeatPage

from .server import Server

TURN_S = 1.0


def run_observer(channel: Channel, page: HeartbeatPage, license: License) -> int:  # noqa: A002, ARG001 - the wire's word
    """Serve until the daemon closes the channel; return the exit code."""
    settings = get_settings()
    assert settings.http_bind is not None
    assert settings.state_dir is not None
    try:
        server = Server(settings.http_bind, settings.state_dir, settings.name)
    except OSError as error:
        message = f'WORKERD["HTTP_BIND"] {settings.http_bind}: {error.strerror}'
        channel.send(Failed(type(error).__name__, message, traceback.format_exc()))
        return exit_codes.FAILED
    with server:
        while True:
            page.beat()
            server.end_overdue()
            ready, _, _ = select.select([channel.fileno(), server.fileno()], (), (), TURN_S)
            if channel.fileno() in ready and channel.receive()[0] is None:
                return exit_codes.DONE
            if server.fileno() in ready:
                server.handle_request()

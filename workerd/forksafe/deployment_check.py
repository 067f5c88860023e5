"""The system check of ``check --deploy``: to which servers the loaded project is connected."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, register
from django.core.checks import Warning as CheckWarning
from django.db import connections

from .drivers import descriptor_of
from .servers import name_of_server
from .sockets import connected_sockets

OPEN_SOCKET = "workerd.W107"
HINT = 'Connect in each process, in child_started or at the first use. WORKERD["STRICT_FORK"] refuses such forks.'


@register("workerd", deploy=True)
def check_open_sockets(
    app_configs: Sequence[AppConfig] | None = None,  # noqa: ARG001 - checks are called by name
    **_kwargs: Any,
) -> list[CheckMessage]:
    """Report each server that the process is connected to, beside Django's own connections to databases."""
    wrappers = connections.all(initialized_only=True)
    of_django = {descriptor_of(wrapper.connection) for wrapper in wrappers if wrapper.connection is not None}
    peers = {sock.peer for sock in connected_sockets() if sock.descriptor not in of_django}
    return [_to_message(peer) for peer in sorted(peers)]


def _to_message(peer: str) -> CheckMessage:
    name = name_of_server(peer)
    return CheckWarning(
        f"The project, once loaded, is connected to {f'{name} at ' if name else ''}{peer}: "
        "processes that are forked from it would read each other's answers.",
        hint=HINT,
        id=OPEN_SOCKET,
    )

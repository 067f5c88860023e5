"""channels: a worker that runs consumers, on Redis."""

import os
from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "channels",
    "runworker work",
    (
        "channels==4.3.2",
        "channels-redis==4.3.0",
    ),
    apps=("channels",),
    needs=frozenset({"redis"}),
)


def settings() -> dict[str, Any]:
    return {
        "CHANNEL_LAYERS": {
            "default": {
                "BACKEND": "channels_redis.core.RedisChannelLayer",
                "CONFIG": {"hosts": [os.environ["FIDELITY_REDIS"]]},
            }
        },
        "ASGI_APPLICATION": "tests.fidelity.cases.channels.application",
    }


def define() -> Any:
    from asgiref.sync import async_to_sync
    from channels.layers import get_channel_layer

    def enqueue(name: str, seconds: float) -> None:
        async_to_sync(get_channel_layer().send)("work", {"type": "work", "name": name, "seconds": seconds})

    return enqueue


def __getattr__(name: str) -> Any:
    """The ASGI application, made when the command asks for it."""
    if name != "application":
        raise AttributeError(name)
    from channels.consumer import SyncConsumer
    from channels.routing import ChannelNameRouter, ProtocolTypeRouter

    from tests.fidelity.site.work import work

    def do(consumer: Any, message: dict[str, Any]) -> None:
        work(message["name"], message["seconds"])

    worker: Any = type("Worker", (SyncConsumer,), {"work": do})
    return ProtocolTypeRouter({"channel": ChannelNameRouter({"work": worker.as_asgi()})})

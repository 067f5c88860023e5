"""Celery's pools and brokers, as the stories run them."""

from typing import Any, Literal

from tests.engines.engine import Engine


def _engine(name: str, broker: Literal["redis", "rabbitmq", ""], *, acks: str, **fields: Any) -> Engine:
    env = {"ENGINES_QUEUE": name, "ENGINES_ACKS": acks, **fields.pop("env", {})}
    seldom = name != "celery-prefork"
    counted: dict[str, Any] = {"depth": f"celery:{name}", "env": env}
    return Engine(name, "workerd.contrib.celery.worker", broker=broker, seldom=seldom, **counted, **fields)


FILES = {"ENGINES_BROKER": "filesystem://"}
"""A broker without a server, and without a socket that could be polled: Celery has another loop for those."""

ENGINES = [
    _engine("celery-files", "", acks="early", kwargs={"pool": "threads"}, env=FILES, after_kill="lost"),
    _engine("celery-prefork", "rabbitmq", acks="late", kwargs={"concurrency": 2}),
    _engine("celery-prefork-early", "redis", acks="early", kwargs={"concurrency": 2}, after_kill="lost"),
    _engine("celery-prefork-redis", "redis", acks="late", kwargs={"concurrency": 2}, after_kill="kept"),
    _engine(
        "celery-solo", "rabbitmq", acks="late", kwargs={"pool": "solo", "queues": "celery-solo"}, works_in_loop=True
    ),
    _engine("celery-threads", "rabbitmq", acks="late", kwargs={"pool": "threads", "concurrency": 2}),
]

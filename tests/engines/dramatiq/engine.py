"""dramatiq, as the stories run it."""

from dataclasses import replace

from tests.engines.engine import Engine

REDIS = Engine(
    name="dramatiq-redis",
    target="workerd.contrib.dramatiq.worker",
    kwargs={"threads": 2},
    broker="redis",
    depth="dramatiq:default",
)
RABBITMQ = replace(REDIS, name="dramatiq-rabbitmq", broker="rabbitmq", seldom=True)

ENGINES = [REDIS, RABBITMQ]

"""The site with dramatiq, on Redis or on RabbitMQ, as the broker's URL says."""

from tests.engines.settings import *  # noqa: F403
from tests.engines.settings import BROKER, INSTALLED_APPS, WORKERD

INSTALLED_APPS = [*INSTALLED_APPS, "django_dramatiq", "tests.engines.dramatiq"]
WORKERD = {**WORKERD, "ENGINES": ["dramatiq"]}
# The tasks of a worker that was killed come back after the first, when the second of a million has come true.
ON_REDIS = {"heartbeat_timeout": 10_000, "maintenance_chance": 1_000_000}
ON_RABBITMQ = {"confirm_delivery": True}
IS_REDIS = BROKER.startswith("redis:")
DRAMATIQ_BROKER = {
    "BROKER": f"dramatiq.brokers.{'redis.RedisBroker' if IS_REDIS else 'rabbitmq.RabbitmqBroker'}",
    "OPTIONS": {"url": BROKER, **(ON_REDIS if IS_REDIS else ON_RABBITMQ)},
    "MIDDLEWARE": [
        "dramatiq.middleware.AgeLimit",
        "dramatiq.middleware.TimeLimit",
        "dramatiq.middleware.Retries",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
    ],
}
ENQUEUE = "tests.engines.dramatiq.tasks.enqueue"

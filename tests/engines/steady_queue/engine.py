"""Steady Queue, as the stories run it."""

from tests.engines.engine import Engine

ENGINE = Engine(
    name="steady_queue", target="workerd.contrib.tasks.steady_queue", after_kill="kept", depth="steady_queue:default"
)

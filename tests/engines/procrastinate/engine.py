"""procrastinate, as the stories run it."""

from tests.engines.engine import Engine

ENGINE = Engine(
    name="procrastinate",
    target="workerd.contrib.procrastinate.worker",
    kwargs={"retry_stalled_after": 15.0},
    depth="procrastinate:default",
)

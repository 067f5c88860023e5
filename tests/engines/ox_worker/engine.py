"""django-ox, as the stories run it."""

from tests.engines.engine import Engine

ENGINE = Engine(name="ox_worker", target="workerd.contrib.tasks.ox_worker", depth="ox:default")

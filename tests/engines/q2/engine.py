"""django-q2, as the stories run it: its tasks are in the database."""

from tests.engines.engine import Engine

ENGINE = Engine(name="q2", target="workerd.contrib.q2.cluster", depth="q2")

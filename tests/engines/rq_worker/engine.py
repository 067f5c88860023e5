"""django-tasks-rq, as the stories run it."""

from tests.engines.engine import Engine

ENGINE = Engine(name="rq_worker", target="workerd.contrib.tasks.rq_worker", broker="redis", after_kill="lost")

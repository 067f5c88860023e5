"""RQ, as the stories run it."""

from tests.engines.engine import Engine

ENGINE = Engine(name="rq", target="workerd.contrib.rq.worker", broker="redis", depth="rq:default", after_kill="lost")

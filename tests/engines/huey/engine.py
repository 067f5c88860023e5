"""huey, as the stories run it."""

from dataclasses import replace

from tests.engines.engine import Engine

THREADS = Engine(
    name="huey-threads",
    target="workerd.contrib.huey.worker",
    kwargs={"workers": 2},
    broker="redis",
    after_kill="lost",
    depth="huey",
)
PROCESSES = replace(THREADS, name="huey-processes", kwargs={"workers": 2, "worker_type": "process"}, seldom=True)

ENGINES = [THREADS, PROCESSES]

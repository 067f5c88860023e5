"""django-tasks-db, as the stories run it."""

from tests.engines.engine import Engine

ENGINE = Engine(
    name="db_worker",
    target="workerd.contrib.tasks.db_worker",
    kwargs={"requeue_lost": True, "task_timeout": 60.0},
    depth="tasks:default",
)

"""django-background-tasks: the loop process_tasks, with the database as its queue."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "django-background-tasks",
    "process_tasks --sleep 0.1",
    ("django-background-tasks==1.2.8",),
    apart=True,  # its fork, of another case, has the same modules
    apps=("background_task",),
)


def define() -> Any:
    from background_task import background

    from tests.fidelity.site.work import work

    return background(name="work")(work)

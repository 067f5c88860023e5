"""django-toosimple-q: its worker, with the database as its queue."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "django-toosimple-q",
    "worker --tick 0.1",
    ("django-toosimple-q==1.2.1",),
    apps=("django_toosimple_q",),
    chance=(r"\[ERROR\]\[toosimpleq\]$",),
)


def define() -> Any:
    from django_toosimple_q.decorators import register_task

    from tests.fidelity.site.work import work

    return register_task(name="work")(work).queue

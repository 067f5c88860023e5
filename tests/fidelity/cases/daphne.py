"""daphne: one process with Twisted's loop."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "daphne",
    "program daphne --bind 127.0.0.1 --port {port} tests.fidelity.site.web:asgi",
    ("daphne==4.2.3",),
    chance=("answered long", "Task exception was never retrieved", "^future: <Task", "RequestAborted"),
    shown="`daphne`, by a command of the project",
)


def define() -> Any:
    from tests.fidelity.site.web import ask

    return ask

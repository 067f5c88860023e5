"""hypercorn: two worker processes, which it starts by multiprocessing's spawn."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "hypercorn",
    "program hypercorn --bind 127.0.0.1:{port} --workers 2 tests.fidelity.site.web:asgi",
    ("hypercorn==0.18.0",),
    shown="`hypercorn --workers 2`, by a command of the project",
)


def define() -> Any:
    from tests.fidelity.site.web import ask

    return ask

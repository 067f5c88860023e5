"""uvicorn: two worker processes, which it starts by multiprocessing's spawn."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "uvicorn",
    "program uvicorn tests.fidelity.site.web:asgi --host 127.0.0.1 --port {port} --workers 2 --lifespan off",
    ("uvicorn==0.54.0",),
    chance=("Waiting for background tasks to complete",),  # said where the answer takes a moment longer to end
    shown="`uvicorn --workers 2`, by a command of the project",
)


def define() -> Any:
    from tests.fidelity.site.web import ask

    return ask

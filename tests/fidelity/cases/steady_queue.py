"""steady-queue: a supervisor that forks workers and a dispatcher."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case("steady-queue", "steady_queue", ("steady-queue",), apps=("steady_queue",))


def settings() -> dict[str, Any]:
    return {"TASKS": {"default": {"BACKEND": "steady_queue.backend.SteadyQueueBackend"}}}


def define() -> Any:
    from tests.fidelity.site.work import work

    return work

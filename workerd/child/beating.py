"""What beats besides the job's own calls, unless its row says ``explicit``: queries here, printed lines in output."""

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.backends.signals import connection_created


def beat_with_queries(beat: Callable[[], None]) -> None:
    """Beat before and after every query of this thread's connections, and of all that are opened from now on."""

    def beating(execute: Callable[..., Any], sql: Any, params: Any, many: Any, context: Any) -> Any:
        beat()
        result = execute(sql, params, many, context)
        beat()
        return result

    def install(connection: Any, **_kwargs: Any) -> None:
        if beating not in connection.execute_wrappers:
            connection.execute_wrappers.insert(0, beating)  # the project's context managers push and pop at the end

    for known in connections.all(initialized_only=True):
        install(known)
    connection_created.connect(install, weak=False, dispatch_uid="workerd.beat_with_queries")

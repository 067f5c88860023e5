"""Sessions left open on every alias, as a project's code leaves them; named in ``WORKERD["BEFORE_FORK"]``."""

from django.db import Error, connections


def leave_open() -> None:
    """Have a session on each database that answers, one that was used, and do not close it."""
    for connection in connections.all():
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except Error:
            continue  # not reachable now: whoever needs it says so

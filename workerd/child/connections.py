"""A child's database connections between two turns: dropped when unusable or too old, their query logs emptied."""


def refresh() -> None:
    """Refresh the connections of this thread."""
    from django.db import reset_queries

    from workerd.forksafe import refresh_connections

    refresh_connections()
    reset_queries()


def heal() -> None:
    """From now on, have a connection that an error has left unusable dropped: for code that knows no turns."""
    from workerd.forksafe import heal_connections

    heal_connections()


async def arefresh() -> None:
    """Refresh the connections of the thread in which asynchronous code has Django query."""
    from asgiref.sync import sync_to_async

    await sync_to_async(refresh, thread_sensitive=True)()

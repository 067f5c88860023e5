"""A child's database connections: between two turns dropped when unusable or too old, at an async job's end closed."""

import asyncio
from contextlib import suppress

CLOSING_WITHIN_S = 1.0
"""The thread may still be in a query that nobody waits for any more."""


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


async def aclose() -> None:
    """Close the connections of that thread: it lives as long as the process, and nobody else may close them."""
    from asgiref.sync import sync_to_async

    from workerd.forksafe import close_own_connections

    with suppress(TimeoutError):
        await asyncio.wait_for(sync_to_async(close_own_connections, thread_sensitive=True)(), CLOSING_WITHIN_S)

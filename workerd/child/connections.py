"""Refreshes a child's database connections at each turn, and closes an async job's at its end.

Imports Django late: JobContext can be imported where Django is not set up.
"""

import asyncio
from contextlib import suppress

CLOSE_WITHIN_S = 1.0


def refresh_connections() -> None:
    """Drop this thread's connections that are dead or too old, and forget its query log."""
    from workerd import forksafe

    forksafe.refresh_connections()


def drop_dead_connections() -> None:
    """Drop this thread's connections that are dead; an old one may still have a result to read."""
    from workerd import forksafe

    forksafe.drop_dead_connections()


async def adrop_dead_connections() -> None:
    """Call ``drop_dead_connections`` in the thread where Django runs the queries of async code."""
    from asgiref.sync import sync_to_async

    await sync_to_async(drop_dead_connections, thread_sensitive=True)()


def heal_connections() -> None:
    """Have a connection that met an error tried before its next use: for code that has no turns to refresh it."""
    from workerd import forksafe

    forksafe.heal_connections()


async def arefresh_connections() -> None:
    """Call ``refresh_connections`` in the thread where Django runs the queries of async code."""
    from asgiref.sync import sync_to_async

    await sync_to_async(refresh_connections, thread_sensitive=True)()


async def aclose_connections() -> None:
    """Close the connections of the thread where Django runs the queries of async code."""
    from asgiref.sync import sync_to_async

    from workerd import forksafe

    # Only their own thread may close them, and it lives as long as the process: this is the last chance.
    # The limit: that thread may still be in a query whose task was cancelled.
    with suppress(TimeoutError):
        await asyncio.wait_for(sync_to_async(forksafe.close_own_connections, thread_sensitive=True)(), CLOSE_WITHIN_S)

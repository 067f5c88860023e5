"""The tripwire: raises where a process uses or closes a connection of another process, before a byte is sent.

Python's forks discard what they inherit, and never get here. C code that forks runs none of Python's at-fork hooks.
"""

import os
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from .errors import ForkedConnectionError
from .sessions import SESSION


def tripwire(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the hook for ``validate_thread_sharing``, which every cursor, commit, rollback and close calls."""
    getpid = os.getpid  # looked up once: this runs at every query

    def validate_thread_sharing(self: BaseDatabaseWrapper) -> None:
        session = self.__dict__.get(SESSION)
        if session is not None and session.pid != getpid() and self.connection is not None:
            raise ForkedConnectionError(session.alias, session.number, session.pid, getpid())
        original(self)

    return validate_thread_sharing

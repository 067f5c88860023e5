"""The tripwire: a process never uses or closes a connection of another process, not a byte is sent on it.

Python's forks discard what they inherit, and never get here. C code that forks, such as uWSGI, runs none of Python's
at-fork hooks: there the first use discards. What is still another process's after that is an error.
"""

import os
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from .discard import discard_unseen
from .errors import ForkedConnectionError
from .sessions import SESSION


def tripwire(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the hook for ``validate_thread_sharing``, which every cursor, commit, rollback and close calls."""
    getpid = os.getpid  # looked up once: this runs at every query

    def validate_thread_sharing(self: BaseDatabaseWrapper) -> None:
        session = self.__dict__.get(SESSION)
        if session is not None and session.pid != getpid() and self.connection is not None and not discard_unseen():
            raise ForkedConnectionError(session.alias, session.number, session.pid, getpid())
        original(self)

    return validate_thread_sharing

"""The tripwire: whoever uses, or closes, a connection of another process is told so, before a byte is sent.

Forks by Python discard what they inherit and never get here; this is for forks that pass Python's at-fork hooks by.
"""

import os
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from .errors import ForkedConnectionError
from .sessions import NOTE


def tripwire(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the hook for ``validate_thread_sharing``, which every cursor, commit, rollback and close passes."""
    getpid = os.getpid

    def validate_thread_sharing(self: BaseDatabaseWrapper) -> None:
        session = self.__dict__.get(NOTE)
        if session is not None and session.pid != getpid() and self.connection is not None:
            raise ForkedConnectionError(session.alias, session.number, session.pid, getpid())
        original(self)

    return validate_thread_sharing

"""SQLite files that cannot be opened again in a forked child, because a transaction was open on them at the fork.

SQLite keeps its locks per process and file: the child would take the parent's for its own.
"""

import os

from django.db.backends.base.base import BaseDatabaseWrapper

from .errors import ForkedConnectionError
from .sessions import Session, session_of

_opened_by: dict[str, Session | None] = {}


def keep_locked(wrapper: BaseDatabaseWrapper) -> None:
    """Remember, in a forked child, the file on which the parent's transaction was open."""
    _opened_by[_file(wrapper)] = session_of(wrapper)


def refuse_poisoned(wrapper: BaseDatabaseWrapper) -> None:
    """Raise ForkedConnectionError where the wrapper's file was inherited in the middle of a transaction."""
    if _opened_by and wrapper.vendor == "sqlite" and _file(wrapper) in _opened_by:
        session = _opened_by[_file(wrapper)]
        opened_by = os.getppid() if session is None else session.pid
        raise ForkedConnectionError(wrapper.alias, None, opened_by, os.getpid())


def _file(wrapper: BaseDatabaseWrapper) -> str:
    return str(wrapper.settings_dict.get("NAME", ""))

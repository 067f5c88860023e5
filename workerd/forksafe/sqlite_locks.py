"""SQLite files that a forked child must not open, because a transaction was open on them at the fork.

SQLite keeps its list of locks per process and file, and the fork copies the list: the child would take the parent's
locks for its own, write beside it, and lose rows without an error (sqlite.org/howtocorrupt.html, 2.6).
"""

import os

from django.db.backends.base.base import BaseDatabaseWrapper

from .errors import ForkedConnectionError
from .sessions import Session, session_of

_opened_by: dict[str, Session | None] = {}


def mark_locked(wrapper: BaseDatabaseWrapper) -> None:
    """Remember, in a forked child, the wrapper's file as one on which a transaction of the parent was open."""
    _opened_by[_file(wrapper)] = session_of(wrapper)


def refuse_locked(wrapper: BaseDatabaseWrapper) -> None:
    """Raise ForkedConnectionError where a transaction of the parent was open on the wrapper's file at the fork."""
    if _opened_by and wrapper.vendor == "sqlite" and _file(wrapper) in _opened_by:
        session = _opened_by[_file(wrapper)]
        opened_by = os.getppid() if session is None else session.pid
        raise ForkedConnectionError(wrapper.alias, None, opened_by, os.getpid())


def _file(wrapper: BaseDatabaseWrapper) -> str:
    return str(wrapper.settings_dict.get("NAME", ""))

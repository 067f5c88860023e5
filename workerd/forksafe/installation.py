"""Puts fork safety into this process and the processes that it forks: hooks, tripwire and discard."""

import gc
import os

from django.db.backends.base.base import BaseDatabaseWrapper

from . import sessions
from .discard import discard_inherited
from .hooks import put_in_place
from .labels import label_sessions

_installed = False


def install(name: str | None = None) -> None:
    """Make forks of this process safe from now on; a second call only renames.

    ``name`` is what the sessions opened from now on are called on the server. Best called early, in ``wsgi.py`` or
    ``manage.py`` or an ``AppConfig.ready()``; connections that are open already are found and watched all the same.
    """
    global _installed
    if name is not None:
        label_sessions(name)
    if _installed:
        return
    _installed = True
    put_in_place()
    sessions.adopt(_open_already())
    os.register_at_fork(after_in_child=discard_inherited)


def _open_already() -> list[BaseDatabaseWrapper]:
    """Look for wrappers of all threads by their exact class: isinstance would wake lazy objects."""
    classes: set[type] = set()
    found: list[type] = [BaseDatabaseWrapper]
    while found:
        cls = found.pop()
        classes.add(cls)
        found += cls.__subclasses__()
    if len(classes) == 1:
        return []
    return [one for one in gc.get_objects() if type(one) in classes]

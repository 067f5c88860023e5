"""Installs fork safety into this process and the processes that it forks: hooks, tripwire and discard."""

import gc
import os

from django.db.backends.base.base import BaseDatabaseWrapper

from . import sessions
from .discard import discard_inherited, watch_this_process
from .hooks import install_hooks
from .labels import label_sessions
from .servers import learn_servers

_installed = False


def install(name: str | None = None) -> None:
    """Make forks of this process safe from now on; a second call only changes the name.

    ``name`` labels the sessions that are opened from now on (see ``label_sessions``). Call it early: in ``wsgi.py``,
    ``manage.py`` or an ``AppConfig.ready()``. Connections that are open already are found and watched, too.
    """
    global _installed
    if name is not None:
        label_sessions(name)
    if _installed:
        return
    _installed = True
    watch_this_process()
    install_hooks()
    sessions.adopt(_existing_wrappers())
    os.register_at_fork(before=learn_servers, after_in_child=discard_inherited)


def _existing_wrappers() -> list[BaseDatabaseWrapper]:
    """Return the wrappers of all threads."""
    classes: set[type] = set()
    pending: list[type] = [BaseDatabaseWrapper]
    while pending:
        cls = pending.pop()
        classes.add(cls)
        pending += cls.__subclasses__()
    if len(classes) == 1:  # no backend is loaded, so there is nothing to look for among a million objects
        return []
    # By exact class: isinstance() asks an object for __class__, which evaluates Django's lazy objects.
    return [wrapper for wrapper in gc.get_objects() if type(wrapper) in classes]

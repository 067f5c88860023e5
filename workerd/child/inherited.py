"""Takes from a child what it must not share with its siblings: sockets, random numbers, the load's own endings."""

import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from workerd.forksafe.sockets import cut_off, open_sockets

_GENERATORS: dict[str, Callable[[Any], Any]] = {
    "numpy.random": lambda module: module,
    "faker.generator": lambda module: module.mod_random,
}
"""Modules with a generator that the whole process shares, and how it is found."""
_finalizers: dict[Any, Any] = weakref.finalize._registry  # type: ignore[attr-defined]

_sockets: list[int] = []
_endings: list[Any] = []
"""The finalizers of the load that run at the end of the process; the last of all finalizers comes behind them."""

# in the forkserver


def find_sockets() -> None:
    """Find the sockets that a child would share with this process; call it right before the fork."""
    _sockets[:] = [sock.descriptor for sock in open_sockets()]


def keep_endings() -> None:
    """Have no child do at its end what the load has left to do then, such as to delete a TemporaryDirectory."""
    _endings[:] = [*(finalizer for finalizer in _finalizers if finalizer.atexit), _last_finalizer()]
    _mark_endings(at_exit=False)


def give_endings_back() -> None:
    """Have this process do it at its own end."""
    _mark_endings(at_exit=True)


def _mark_endings(*, at_exit: bool) -> None:
    for finalizer in _endings[:-1]:
        finalizer.atexit = at_exit


def _last_finalizer() -> Any:
    return next(reversed(_finalizers), None)


# in the child


def leave_inheritance() -> None:
    """Cut off the sockets that the load has left open, renew random numbers, and let the load's things live on.

    Python itself seeds ``random`` anew in a fork.
    """
    for descriptor in _sockets:
        cut_off(descriptor)
    for name, generator in _GENERATORS.items():
        # NumPy refuses where the project has put a generator of another kind in place. It must not cost the process.
        with suppress(Exception):
            if (module := sys.modules.get(name)) is not None:
                generator(module).seed()
    _leave_ends_to_the_load()


def _leave_ends_to_the_load() -> None:
    """Keep this process from ending at its end what belongs to the process that it was forked from."""
    if not _endings or _last_finalizer() is not _endings[-1]:  # BEFORE_FORK has left one more
        for finalizer in list(_finalizers):
            finalizer.atexit = False
    if (processes := sys.modules.get("multiprocessing.process")) is not None:
        processes._children.clear()  # only their own parent may join them

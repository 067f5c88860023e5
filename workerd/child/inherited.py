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


def leave_inheritance() -> None:
    """Cut off the sockets that the load has left open, renew random numbers, and let the load's things live on.

    Python itself seeds ``random`` anew in a fork.
    """
    for sock in open_sockets():
        cut_off(sock.descriptor)
    for name, generator in _GENERATORS.items():
        # NumPy refuses where the project has put a generator of another kind in place. It must not cost the process.
        with suppress(Exception):
            if (module := sys.modules.get(name)) is not None:
                generator(module).seed()
    _leave_ends_to_the_load()


def _leave_ends_to_the_load() -> None:
    """Keep this process from ending at its end what belongs to the process that it was forked from."""
    # A TemporaryDirectory of the load would be deleted.
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        finalizer.atexit = False
    if (processes := sys.modules.get("multiprocessing.process")) is not None:
        processes._children.clear()  # only their own parent may join them

"""Takes from a child what it must not share with its siblings: sockets, random numbers, the load's own endings."""

import sys
import weakref

from workerd.forksafe.sockets import cut_off, open_sockets


def leave_inheritance() -> None:
    """Cut off the sockets that the load has left open, renew random numbers, and let the load's things live on.

    Python itself seeds ``random`` anew in a fork.
    """
    for sock in open_sockets():
        cut_off(sock.descriptor)
    if (numpy := sys.modules.get("numpy.random")) is not None:
        numpy.seed()
    if (faker := sys.modules.get("faker.generator")) is not None:
        faker.mod_random.seed()
    _leave_ends_to_the_load()


def _leave_ends_to_the_load() -> None:
    """Keep this process from ending at its end what belongs to the process that it was forked from."""
    # A TemporaryDirectory of the load would be deleted.
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        finalizer.atexit = False
    if (processes := sys.modules.get("multiprocessing.process")) is not None:
        processes._children.clear()  # only their own parent may join them

"""The collector of garbage rests while the project is loaded: nearly all that a load makes stays.

So Python's documentation advises for a process that forks. It rests by a threshold of 0: a project that switches it
off, or sets thresholds of its own, does so by other means, and is left its wish.
"""

import gc

_usual: list[tuple[int, int, int]] = []


def rest() -> None:
    """Collect nothing from now on."""
    _usual[:] = [gc.get_threshold()]
    gc.set_threshold(0, *_usual[0][1:])


def go_on() -> None:
    """Collect what the load has left, have no later collection look at the rest of it, and collect as usual again.

    A garbage collection in a child would touch the page of every object, and the kernel would copy each page. It does
    not look at frozen objects. The collection comes first, so that no garbage is frozen.
    """
    gc.collect()
    gc.freeze()
    if _usual and gc.get_threshold()[0] == 0:
        gc.set_threshold(*_usual.pop())

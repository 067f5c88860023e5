"""The collector of garbage in the tests' own process: it looks seldom, as the modules are much to look at."""

import gc

SELDOM = (50_000, 20, 100)
"""Allocations without an end before it looks at the youngest, and how many such looks before one at older ones."""


def collect_seldom() -> None:
    """Have it look less often from now on."""
    gc.set_threshold(*SELDOM)


def leave_out_the_imported() -> None:
    """Have it not look at what is there by now, garbage apart."""
    gc.collect()
    gc.freeze()


def look_at_all_again() -> None:
    """Undo ``leave_out_the_imported``, so that pytest's own collection at the end misses nothing."""
    gc.unfreeze()

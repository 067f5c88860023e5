"""Versions of records: epoch and count in one number, so that a later life of the daemon always has the larger one."""

COUNTS_A_LIFE = 2**36
"""Minutes since 1970 times this fit a BIGINT for two centuries; no life has as many records."""


def first_of_life(version: int) -> int:
    """Return the smallest version of the life in which ``version`` was made."""
    return version // COUNTS_A_LIFE * COUNTS_A_LIFE

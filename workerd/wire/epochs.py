"""Versions of records: epoch and count in one number, so that a later life of the daemon always has larger ones."""

COUNTS_A_LIFE = 2**36
"""Versions that each epoch has: more than a life needs, and few enough to fit a BIGINT for two centuries."""


LATEST_EPOCH = 2**26
"""Clocks may say more (from the year 2097); a larger epoch would soon fill a BIGINT."""


def first_of_life(version: int) -> int:
    """Return the smallest version of the life in which ``version`` was made."""
    return version // COUNTS_A_LIFE * COUNTS_A_LIFE


def first_after(version: int) -> int:
    """Return the smallest version of a life that is newer than the one in which ``version`` was made."""
    return first_of_life(version) + COUNTS_A_LIFE

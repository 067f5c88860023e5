"""A module whose import takes the interpreter with it, as a broken C extension does."""

import ctypes

ctypes.string_at(0)


def run() -> None:
    """Never reached."""

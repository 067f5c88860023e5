"""Fills the gaps that the load has left between Python's objects, so that children make theirs side by side."""

POOL_MASK = 0x3FFF
"""The bits of an address within a pool, 16 KiB that hold objects of one size (CPython's Objects/obmalloc.c)."""
HEADER_BYTES = 33
"""The size of an empty ``bytes`` object."""
SIZES = range(48, 513, 16)
MOST_BYTES = 256 * 1024
"""The most that is filled for one size, as another allocator than Python's shows no end of a pool."""
IN_A_ROW = 8

_fillers: list[list[bytes]] = []


def fill_holes() -> None:
    """Hold objects in all free places of the pools in use, size by size.

    Without it an object that a child makes takes such a place, and the kernel copies the whole page for it: 0.2 MiB in
    each child. The fillers lie in the forkserver's memory alone, as nobody ever touches them.
    """
    _fillers[:] = [_fill(size) for size in SIZES]


def _fill(size: int) -> list[bytes]:
    """Make objects of ``size`` bytes until several follow one another at the start of a pool, which so is a new one."""
    held: list[bytes] = []
    last = in_a_row = 0
    for _ in range(MOST_BYTES // size):
        filler = bytes(size - HEADER_BYTES)
        address = id(filler)
        follows = address - last == size and address & POOL_MASK < (IN_A_ROW + 2) * size
        in_a_row = in_a_row + 1 if follows else 0
        if in_a_row == IN_A_ROW:
            break
        held.append(filler)
        last = address
    return held

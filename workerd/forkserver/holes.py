"""Fills the gaps that the load has left between Python's objects, so that children make theirs side by side."""

import ctypes

POOL_MASK = 0x3FFF
"""The bits of an address within a pool, 16 KiB that hold objects of one size (CPython's Objects/obmalloc.c)."""
HEADER_BYTES = 33
"""The size of an empty ``bytes`` object."""
SIZES = range(48, 513, 16)
MOST_BYTES = 256 * 1024
"""The most that is filled for one size, as another allocator than Python's shows no end of a pool."""
IN_A_ROW = 8
LARGEST = 120_000
"""For more, the C library maps pages of their own (M_MMAP_THRESHOLD is 128 KiB, mallopt(3))."""

_fillers: list[list[bytes]] = []


def fill_holes() -> None:
    """Hold objects in all free places of the pools in use, size by size.

    Without it what a child makes takes such a place, and the kernel copies the whole page: 0.4 MiB in each child,
    and 2 MiB in one that uses the ORM. The fillers are in the forkserver's memory alone, as nobody ever touches them.
    """
    _fillers[:] = [_fill(size) for size in SIZES]
    _fill_heap()


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


def _fill_heap() -> None:
    """Take from the C library's heap whatever it can give without growing; it is never given back."""
    libc = ctypes.CDLL(None)
    try:
        malloc, free, trim, sbrk = libc.malloc, libc.free, libc.malloc_trim, libc.sbrk
    except AttributeError:  # another library than glibc
        return
    malloc.restype = sbrk.restype = ctypes.c_void_p
    trim(0)
    end = sbrk(0)
    size = LARGEST
    while size > 0:
        while (block := malloc(size) or end) < end:
            pass
        free(ctypes.c_void_p(block))
        size -= max(16, size // 160 * 16)  # a tenth less, by the unit in which the library counts

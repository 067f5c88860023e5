"""The forkserver fills the free places between its objects, so that a child's own lie side by side."""

import ctypes
import sys
from collections import Counter

import pytest

from workerd.forkserver import holes
from workerd.forkserver.holes import POOL_MASK, fill_holes

SIZE = 304


@pytest.mark.skipif(not hasattr(sys, "_debugmallocstats"), reason="another interpreter than CPython")
def test_new_objects_take_no_place_between_old_ones() -> None:
    old = [bytes(SIZE - holes.HEADER_BYTES) for _ in range(600)]
    del old[::7]
    counts = Counter(id(thing) & ~POOL_MASK for thing in old)
    pools = {pool for pool, count in counts.items() if count > 2 * holes.IN_A_ROW}  # an emptier one counts as new

    fill_holes()
    new = [bytes(SIZE - holes.HEADER_BYTES) for _ in range(20)]

    assert {id(thing) & ~POOL_MASK for thing in new}.isdisjoint(pools), "they are in pools of their own"
    holes._fillers.clear()


def test_new_memory_of_the_c_library_takes_no_place_between_old_one() -> None:
    old = [bytearray(1900) for _ in range(400)]
    freed = {_address(thing) for thing in old[::7]}
    del old[::7]

    fill_holes()
    new = [bytearray(1900) for _ in range(60)]

    assert {_address(thing) for thing in new}.isdisjoint(freed)
    holes._fillers.clear()


def _address(thing: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(thing))


def test_it_ends_where_objects_never_follow_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holes, "IN_A_ROW", 10**9)

    fill_holes()

    assert all(len(held) <= holes.MOST_BYTES // size for held, size in zip(holes._fillers, holes.SIZES, strict=True))
    holes._fillers.clear()

"""The samples of slots in a file of STATE_DIR: a record of 11 KiB for each slot, in the kernel's page cache.

It is read and written, not mapped: a store to a page for which a full disk, or one that copies on write, has no room
would end the daemon by SIGBUS, and a file that somebody cuts would, too. A write that fails is an OSError.
"""

import errno
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from workerd.daemon.rules.sampling import bucket_of
from workerd.wire.curves import thinned
from workerd.wire.private_folder import PRIVATE_FILE
from workerd.wire.samples import COARSE, FINE, LAYOUT, Sample, pack, unpack_all

from .files import StrPath

MAGIC = b"workerd samples 1\n"
HEAD_BYTES, RECORD_BYTES = 4096, 11 * 1024
NAME_BYTES = 124
_NAME = struct.Struct(f"<{NAME_BYTES}sI")
"""The name of the job and the number of the slot; a record without a name is free."""
_FINE_AT = _NAME.size
_COARSE_AT = _FINE_AT + FINE * LAYOUT.size

SlotKey = tuple[str, int]
"""A job's name and a slot's number."""


@dataclass(eq=False, slots=True)
class Ring:
    """A slot's record: its number in the file, where the next samples go, and the time of the last one."""

    number: int
    fine: int = 0
    coarse: int = 0
    last: int = 0
    in_bucket: int = 0
    """How many samples of the present five minutes are just before the next one; 0 where that is not known."""
    is_known: bool = True
    """Whether it is known what the record holds; that of an earlier daemon is read when it is needed."""

    @property
    def place(self) -> int:
        """Where in the file the record begins."""
        return HEAD_BYTES + self.number * RECORD_BYTES


class SampleFile:
    """Open as long as it works; every method may raise OSError, and the file is then to be closed."""

    def __init__(self, path: StrPath) -> None:
        """Open the file, or make it. What is no such file is begun anew, which ``begun_anew`` tells."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, PRIVATE_FILE)
        self._rings: dict[SlotKey, Ring] = {}
        self._free: list[int] = []
        self._records = 0
        try:
            self.begun_anew = self._begin()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close; harmless a second time."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def append(self, key: SlotKey, sample: Sample) -> None:
        """Keep a sample; with the first of other five minutes, those before are kept as one."""
        ring = self._ring(key, sample.time)
        if ring is None:
            return
        if ring.last and bucket_of(ring.last) != bucket_of(sample.time):
            self._keep_bucket(ring, bucket_of(ring.last))
            ring.in_bucket = 1
        elif ring.in_bucket or not ring.last:
            ring.in_bucket += 1
        self._write(pack(sample), ring.place + _FINE_AT + ring.fine * LAYOUT.size)
        ring.fine, ring.last = (ring.fine + 1) % FINE, sample.time

    def last(self, key: SlotKey) -> int:
        """Return the time of the slot's last sample by this daemon; 0 for none."""
        ring = self._rings.get(key)
        return ring.last if ring is not None else 0

    def read(self, key: SlotKey, now: float) -> tuple[list[Sample], list[Sample]]:
        """Return a slot's samples, the oldest first: those of an hour, and those of a day."""
        data = self.read_packed(key)
        size = FINE * LAYOUT.size
        return unpack_all(data[:size], now), unpack_all(data[size:], now)

    def read_packed(self, key: SlotKey) -> bytes:
        """Return a slot's samples as they are in the file, first those of an hour; b"" for none."""
        ring = self._rings.get(key)
        return self._read((FINE + COARSE) * LAYOUT.size, ring.place + _FINE_AT) if ring is not None else b""

    def forget(self, key: SlotKey) -> None:
        """Free the record of a slot that is gone."""
        if (ring := self._rings.pop(key, None)) is not None:
            self._write(bytes(_NAME.size), ring.place)
            self._free.append(ring.number)

    def keep_only(self, keys: Iterable[SlotKey]) -> None:
        """Free the records of all slots but these."""
        for key in self._rings.keys() - set(keys):
            self.forget(key)

    def _begin(self) -> bool:
        """Read which records there are; return whether there was something else in the file."""
        head = os.pread(self._descriptor, HEAD_BYTES, 0)
        if not head.startswith(MAGIC):
            os.ftruncate(self._descriptor, 0)
            self._write(MAGIC.ljust(HEAD_BYTES, b"\0"), 0)
            return bool(head)
        self._records = (os.fstat(self._descriptor).st_size - HEAD_BYTES) // RECORD_BYTES
        for number in range(self._records):
            name, index = _NAME.unpack(self._read(_NAME.size, HEAD_BYTES + number * RECORD_BYTES))
            key = name.rstrip(b"\0").decode("utf-8", "replace"), index
            if not key[0] or key in self._rings:
                self._free.append(number)
            else:
                self._rings[key] = Ring(number, is_known=False)
        return False

    def _ring(self, key: SlotKey, now: float) -> Ring | None:
        ring = self._rings.get(key)
        if ring is None:
            return self._claim(key)
        if not ring.is_known:
            packed = self.read_packed(key)
            fine = _times(packed[: FINE * LAYOUT.size], now)
            ring.last = max(fine, default=0)
            ring.fine = _after_newest(fine, FINE)
            ring.coarse = _after_newest(_times(packed[FINE * LAYOUT.size :], now), COARSE)
            ring.is_known = True
        return ring

    def _claim(self, key: SlotKey) -> Ring | None:
        """Give a slot a record of its own, empty; None where its name is too long for one."""
        name = key[0].encode()
        if not 0 < len(name) <= NAME_BYTES:
            return None
        number = self._free.pop() if self._free else self._records
        ring = Ring(number)
        self._write(bytes(RECORD_BYTES), ring.place)  # so that there is room for all of it
        self._write(_NAME.pack(name, key[1]), ring.place)
        self._records = max(self._records, number + 1)
        self._rings[key] = ring
        return ring

    def _keep_bucket(self, ring: Ring, bucket: int) -> None:
        first, count = 0, FINE
        if 0 < ring.in_bucket <= ring.fine:  # they lie in one piece
            first, count = ring.fine - ring.in_bucket, ring.in_bucket
        data = self._read(count * LAYOUT.size, ring.place + _FINE_AT + first * LAYOUT.size)
        if samples := [one for one in unpack_all(data, ring.last) if bucket_of(one.time) == bucket]:
            self._write(pack(thinned(samples)), ring.place + _COARSE_AT + ring.coarse * LAYOUT.size)
            ring.coarse = (ring.coarse + 1) % COARSE

    def _read(self, size: int, place: int) -> bytes:
        """Return what is there; zeros where somebody has cut the file."""
        return os.pread(self._descriptor, size, place).ljust(size, b"\0")

    def _write(self, data: bytes, place: int) -> None:
        if os.pwrite(self._descriptor, data, place) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _times(packed: bytes, now: float) -> list[int]:
    """Return the times of the samples in the order of their places; 0 for none, and for what is later than now."""
    times = (fields[0] for fields in LAYOUT.iter_unpack(packed))
    return [time if time <= now + 1 else 0 for time in times]


def _after_newest(times: list[int], places: int) -> int:
    newest = max(times, default=0)
    return (times.index(newest) + 1) % places if newest else 0

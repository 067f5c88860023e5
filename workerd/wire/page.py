"""The heartbeat page: a memfd for each run. The child writes it, the daemon reads it.

The daemon does not trust what it reads, since a job may write anything into its page; the seals keep it from making
the page smaller.
"""

import fcntl
import math
import mmap
import os
import time

PAGE_BYTES = 4096
MAX_NOTE_BYTES = 480
NO_SILENCE_S = 0.001
"""Beats that are no further apart leave no silence between them: a job may beat in its innermost loop."""

_BEAT, _WITHIN, _PROCESSES, _NOTE_SEQUENCE, _NOTE_LENGTH, _OPENED, _CLOSED, _SILENCE = range(8)
_MOST = 2**31 - 1
"""The largest count that is reported: a row's column holds no more."""
_NOTE_AT = 64
_DEADLINE_AT = 1024
"""The daemon's word, apart from those that the child writes: until when the run's seat is held."""
_LARGEST = 2**63 - 1
_monotonic = time.monotonic


class HeartbeatPage:
    """4 KiB of shared memory; times are seconds of CLOCK_MONOTONIC, the same clock in every process."""

    __slots__ = ("_bytes", "_deadline", "_look_at", "_map", "_shared", "_times", "_words", "descriptor")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map = mmap.mmap(descriptor, PAGE_BYTES)
        self._view(memoryview(self._map))
        self._shared = self._words
        self._deadline = memoryview(self._map)[_DEADLINE_AT : _DEADLINE_AT + 8].cast("Q")
        self._look_at = 0.0

    def _view(self, memory: memoryview) -> None:
        self._bytes = memory
        # Writing an item of these views is one machine store. struct.pack_into fills with zeros first, and a reader
        # can see them.
        self._words, self._times = memory[:_NOTE_AT].cast("Q"), memory[:_NOTE_AT].cast("d")

    @classmethod
    def create(cls) -> "HeartbeatPage":
        """Return a new page on its own memfd. A seal forbids truncation, which would be a SIGBUS for the reader."""
        descriptor = os.memfd_create("workerd-page", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(descriptor, PAGE_BYTES)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
            return cls(descriptor)
        except OSError:  # mmap duplicates the descriptor, and there may be none left
            os.close(descriptor)
            raise

    def close(self) -> None:
        """Unmap and close; harmless a second time."""
        if self.descriptor >= 0:
            self._words.release()
            self._times.release()
            self._shared.release()
            self._deadline.release()
            self._bytes.release()
            self._map.close()
            os.close(self.descriptor)
            self.descriptor = -1

    # the child's side

    def beat(self) -> None:
        """Store the time of a beat: the child is alive."""
        now = _monotonic()
        if now > self._look_at:
            self._look_back(now)
        self._times[_BEAT] = now

    def _look_back(self, now: float) -> None:
        """Keep the silence before this beat, unless the job was allowed it.

        To read the page costs as much as a beat. So the next look is when a longer silence may have ended; a longer
        one than the longest cannot lie between two beats before that.
        """
        if not self._words[_WITHIN]:
            self.note_silence(self._times[_BEAT], now)
        self._look_at = now + max(NO_SILENCE_S, self._times[_SILENCE])

    def note_silence(self, begun: float, ended: float) -> None:
        """Keep the silence between two moments if it is the longest; before the first beat, at 0, there is none."""
        if begun and ended - begun > max(NO_SILENCE_S, self._times[_SILENCE]):
            self._times[_SILENCE] = ended - begun

    def forget_silence(self) -> None:
        """Begin anew with a beat: no silence from before it counts."""
        self.beat()
        self._times[_SILENCE] = self._look_at = 0.0

    def allow(self, seconds: float | None) -> None:
        """Allow ``seconds`` between beats from now on, in place of the job's heartbeat time-out; None ends that."""
        self._words[_WITHIN] = 0 if seconds is None else max(1, int(min(2.0**63, seconds * 1e9)))

    def write_note(self, text: str) -> None:
        """Store what the child is doing, cut to 480 bytes. The sequence is odd while the text is being written."""
        try:
            note = text.encode()
        except UnicodeEncodeError:  # a lone surrogate; encoding with "replace" at once would slow every note
            note = text.encode("utf-8", "replace")
        if (size := len(note)) > MAX_NOTE_BYTES:
            note, size = note[:MAX_NOTE_BYTES], MAX_NOTE_BYTES
        words = self._words
        words[_NOTE_SEQUENCE] = sequence = words[_NOTE_SEQUENCE] | 1
        self._bytes[_NOTE_AT : _NOTE_AT + size] = note
        words[_NOTE_LENGTH] = size
        words[_NOTE_SEQUENCE] = (sequence + 1) & _LARGEST

    def count_opened(self) -> None:
        """Count a database connection that this run has opened."""
        self._words[_OPENED] += 1

    def count_closed(self) -> None:
        """Count a database connection that this run has closed."""
        self._words[_CLOSED] += 1

    @property
    def processes(self) -> int:
        """How many processes of the job are wanted now."""
        return self._shared[_PROCESSES]

    @property
    def deadline_ns(self) -> int:
        """The boot-time nanoseconds at which the run's seat is over; 0 for a run without one, or that goes on."""
        return self._deadline[0]

    def detach(self) -> None:
        """Write nowhere from now on, in a process that the child has forked.

        ``processes`` still follows the row, and ``deadline_ns`` the seat.
        """
        self._view(memoryview(bytearray(PAGE_BYTES)))

    # the daemon's side

    def want_processes(self, count: int) -> None:
        """Tell the child how many processes of its job are wanted."""
        self._words[_PROCESSES] = count

    def hold_until(self, boot_s: float) -> None:
        """Tell the child until when its seat is held, in boot-time seconds; infinity is without end."""
        self._deadline[0] = 0 if boot_s == math.inf else max(1, int(boot_s * 1e9))

    @property
    def last_beat(self) -> float:
        """The monotonic seconds of the last beat; 0 before the first, and where the page holds no time that was."""
        beat = self._times[_BEAT]
        return beat if 0.0 < beat <= _monotonic() else 0.0

    @property
    def longest_silence(self) -> float | None:
        """The longest time between two beats in seconds, waits left out; None where there was none to speak of."""
        seconds = self._times[_SILENCE]
        return seconds if NO_SILENCE_S < seconds <= _monotonic() else None

    @property
    def within(self) -> float | None:
        """The seconds between beats that the child has asked for, or None."""
        return self._words[_WITHIN] / 1e9 or None

    @property
    def connections_opened(self) -> int:
        """How many database connections this run has opened."""
        return min(self._words[_OPENED], _MOST)

    @property
    def connections_closed(self) -> int:
        """How many database connections this run has closed."""
        return min(self._words[_CLOSED], _MOST)

    def read_note(self) -> str:
        """Return the last note. Bytes that are no text come out as replacement characters: no page makes this fail."""
        for _ in range(3):
            before = self._words[_NOTE_SEQUENCE]
            length = min(self._words[_NOTE_LENGTH], MAX_NOTE_BYTES)
            note = bytes(self._bytes[_NOTE_AT : _NOTE_AT + length])
            if before == self._words[_NOTE_SEQUENCE] and not before & 1:
                break
        return note.decode("utf-8", "replace")

"""The loop: one selector, one heap of timers, signals as flags. It sleeps until something is due; a turn is short."""

import heapq
import itertools
import math
import selectors
import signal
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from workerd.daemon.rules.clock import Clock

STALL_S = 0.5
"""A timer that is later than this shows that the loop did not run: its process was stopped, or got no processor."""
SHARE_S = 0.01
"""The seconds that ready files, calls and timers may each take in one turn; what is left comes first in the next."""
READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Timer:
    """A call that is due at a monotonic moment; timers of one moment keep their ``order``."""

    __slots__ = ("call", "due", "order")

    def __init__(self, due: float, order: int, call: Callable[[], None]) -> None:
        self.due = due
        self.order = order
        self.call: Callable[[], None] | None = call

    def __lt__(self, other: "Timer") -> bool:
        return (self.due, self.order) < (other.due, other.order)

    def cancel(self) -> None:
        """Drop the call; harmless a second time, or after the call was made."""
        self.call = None


class Loop:
    """Makes calls by descriptor, by time and at the end of each turn; ``guard`` gets what one of them raises."""

    def __init__(self, clock: Clock, guard: Callable[[Exception], None]) -> None:
        self.clock = clock
        self._guard = guard
        self._selector = selectors.DefaultSelector()
        self._timers: list[Timer] = []
        self._order = itertools.count()
        self._soon: deque[Callable[[], None]] = deque()
        self._next: deque[Callable[[], None]] = deque()
        self._left: frozenset[int] = frozenset()
        """The descriptors that were ready, and for which there was no time yet: they come first."""
        self._at_turn_begin: list[Callable[[], None]] = []
        self._at_turn_end: list[Callable[[], None]] = []
        self._signals: dict[int, Callable[[], None]] = {}
        self._raised: set[int] = set()
        self._running = True
        self._stalled_at = self._stalled_s = 0.0
        self._seen_at, self._used = clock.monotonic(), clock.processor()
        self.longest_turn_s = 0.0
        """From what ended its sleep to its end, the waits for a processor among it."""
        self.busiest_turn_s = 0.0
        """The most processor time that one turn took: a machine that is busy with others does not add to it."""

    def watch(self, descriptor: int, events: int, call: Callable[[int], None]) -> None:
        """Call ``call(ready events)`` whenever ``descriptor`` is ready; watching it again changes events and call."""
        if descriptor in self._selector.get_map():
            self._selector.modify(descriptor, events, call)
        else:
            self._selector.register(descriptor, events, call)

    def pardon(self, limit: float) -> float:
        """Return the monotonic time before which no heartbeat time-out may fire.

        After a stall of S seconds, children get min(S, ``limit``) seconds more: what stalled us may have stalled them.
        A stall in the midst of this turn counts: who judges reads the clock first, and then asks.
        """
        self._note_stall()
        return self._stalled_at + min(self._stalled_s, limit)

    def unwatch(self, descriptor: int) -> None:
        """Stop watching; harmless if nothing is watched. Call it before the descriptor is closed."""
        if descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)

    def call_at(self, due: float, call: Callable[[], None]) -> Timer:
        """Call once when the monotonic clock has reached ``due``."""
        timer = Timer(due, next(self._order), call)
        heapq.heappush(self._timers, timer)
        return timer

    def call_in(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once after ``seconds``."""
        return self.call_at(self.clock.monotonic() + seconds, call)

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call once in this turn, after the present call has returned."""
        self._soon.append(call)

    def call_next(self, call: Callable[[], None]) -> None:
        """Call once in the next turn, which comes without a sleep: for work that is more than one turn's share."""
        self._next.append(call)

    def at_turn_begin(self, call: Callable[[], None]) -> None:
        """Call at the beginning of every turn, before anything else: for deadlines that nothing may delay."""
        self._at_turn_begin.append(call)

    def at_turn_end(self, call: Callable[[], None]) -> None:
        """Call at the end of every turn."""
        self._at_turn_end.append(call)

    def on_signal(self, number: int, call: Callable[[], None]) -> None:
        """Call in the loop after signal ``number``; the signal's own handler only sets a flag."""
        self._signals[number] = call
        signal.signal(number, lambda *_: self._raised.add(number))

    def catch_signals(self) -> None:
        """Have signals wake the loop. The caller unblocks them only after this, so none is lost."""
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self.watch(self._woken.fileno(), READ, lambda _: self._empty_socket())

    def stop(self) -> None:
        """End ``run`` after this turn."""
        self._running = False

    def run(self) -> None:
        """Turn until ``stop`` is called."""
        while self._running:
            self.turn()

    def turn(self) -> None:
        """Sleep until something is ready or due, and make its calls."""
        ready = self._selector.select(self._patience())
        self._note_stall(self._timers[0].due if self._timers else math.inf)
        began, used = self.clock.monotonic(), self.clock.processor()
        for call in self._at_turn_begin:
            self.attempt(call)
        self._make_signal_calls()
        self._go_on()
        self._make_ready_calls(ready)
        self._make_due_calls()
        self._run_soon()
        for call in self._at_turn_end:
            self.attempt(call)
            self._run_soon()
        self._note_stall()
        self.longest_turn_s = max(self.longest_turn_s, self.clock.monotonic() - began)
        self.busiest_turn_s = max(self.busiest_turn_s, self.clock.processor() - used)

    def _make_signal_calls(self) -> None:
        """Every signal counts, whatever has become of the byte that woke the loop: thousands may fill its socket."""
        raised, self._raised = self._raised, set()
        for number in sorted(raised):
            self.attempt(self._signals[number])

    def _make_ready_calls(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        ready.sort(key=lambda pair: pair[0].fd not in self._left)
        until, made = self.clock.monotonic() + SHARE_S, 0
        for key, events in ready:
            if made and self.clock.monotonic() >= until:
                break
            made += 1
            current = self._selector.get_map().get(key.fd)
            # Another call of this turn may have closed the descriptor, and its number may be in use again.
            if current is not None and current.data == key.data:
                self.attempt(partial(key.data, events))
        rest = frozenset(key.fd for key, _ in ready[made:])
        self._left = rest & self._left or rest  # nobody has a second turn before each has had one

    def _go_on(self) -> None:
        until = self.clock.monotonic() + SHARE_S
        for _ in range(len(self._next)):
            self.attempt(self._next.popleft())
            if self.clock.monotonic() >= until:
                break

    def _make_due_calls(self) -> None:
        now = self.clock.monotonic()
        while self._timers and (self._timers[0].due <= now or self._timers[0].call is None):
            timer = heapq.heappop(self._timers)
            if timer.call is not None:
                self.attempt(timer.call)
                timer.call = None
                if self.clock.monotonic() >= now + SHARE_S:
                    break

    def _note_stall(self, due: float = -math.inf) -> None:
        """Note for how long the loop has stood still since it last noted, or since ``due``, to which it meant to sleep.

        The time in which this process itself has worked is no stall: the children had theirs, too.
        """
        now, used = self.clock.monotonic(), self.clock.processor()
        late = now - max(due, self._seen_at) - (used - self._used)
        self._seen_at, self._used = now, used
        if late > STALL_S:
            left = max(0.0, self._stalled_at + self._stalled_s - (now - late))
            self._stalled_at, self._stalled_s = now, late + left

    def _patience(self) -> float | None:
        while self._timers and self._timers[0].call is None:
            heapq.heappop(self._timers)
        if self._soon or self._next or self._raised:
            return 0
        return max(0.0, self._timers[0].due - self.clock.monotonic()) if self._timers else None

    def _run_soon(self) -> None:
        while self._soon:
            self.attempt(self._soon.popleft())

    def attempt(self, call: Callable[[], None]) -> None:
        """Make a call; what it raises goes to the guard, so that whatever comes after it is done, too."""
        try:
            call()
        except Exception as error:  # noqa: BLE001 - a fault in one call must not end the supervision of everything else
            self._guard(error)

    def _empty_socket(self) -> None:
        with suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass

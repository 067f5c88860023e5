"""The sampler measures every child of a job in turn, keeps the samples, and has the ledger bring them to the rows."""

import binascii
from collections import deque
from collections.abc import Callable
from functools import partial
from math import ceil

from workerd.daemon.io.files import StrPath
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop, Timer
from workerd.daemon.io.sample_file import SampleFile
from workerd.daemon.processes.child import Child
from workerd.wire.curves import joined, run_text, thin_to
from workerd.wire.messages import Sampled
from workerd.wire.samples import Sample
from workerd.wire.words import Outcome

from .lifecycle import Lifecycle
from .slot import LiveSlot
from .slot_set import SlotSet
from .watchdog import NEAR

TURNS = 10
"""A round of samples is spread over so many turns of the loop."""
MOST_A_TURN = 100
AGAIN_S = 60.0
"""After this, samples are tried again that could not be kept."""
ROUNDS_A_DELIVERY = 6
SLOTS_A_ROUND = 33
"""The curves that go to the ledger in a round, at most: of many slots each goes less often."""
SLOTS_A_MESSAGE = 8
RUN_POINTS = 120
"""The samples that a run's row keeps of it."""


class Sampler:
    """Samples each child once in ``seconds``, a few in each turn; with 0 seconds it does nothing."""

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self, loop: Loop, log: EventLog, lifecycle: Lifecycle, slot_set: SlotSet, path: StrPath, seconds: float
    ) -> None:
        self._loop = loop
        self._log = log
        self._lifecycle = lifecycle
        self._slot_set = slot_set
        self._path = path
        self._seconds = seconds
        self._file: SampleFile | None = None
        self._trouble = ""
        self._timer: Timer | None = None
        self._left: deque[LiveSlot] = deque()
        self._a_turn = 0
        self._pause = 0.0
        self._delivery_s = 0.0
        self.deliver: Callable[[Sampled], bool] = lambda _: False
        """Gives curves to the ledger; False where it cannot take them now."""
        if seconds:
            lifecycle.on_changed.add(self._wake)
            slot_set.on_forgotten.add(self._forget)
            slot_set.on_whole.add(self._forget_others)

    def start(self) -> None:
        """Sample from now on."""
        if self._seconds:
            self._open()

    def curve_of(self, slot: LiveSlot, child: Child) -> str:
        """Return the samples of a run that has just ended, as text; "" for none.

        A daemon that stops ends all runs at once, and is not to be held up: those have none.
        """
        if self._file is None or child.born_wall is None or not child.usage.has_begun or self._lifecycle.stopping:
            return ""
        key, now, grown = _key(slot), self._loop.clock.wall(), child.growth.seen
        try:
            if child.verdict is Outcome.OVER_MEMORY and grown is not None:  # as the watchdog has just seen it
                self._file.append(key, Sample(max(int(now), self._file.last(key) + 1), round(grown * 1024)))
            samples = joined(*self._file.read(key, now), since=int(child.born_wall))
        except OSError as error:
            self._stop(error)
            return ""
        return run_text(thin_to(samples, RUN_POINTS))

    # the file

    def _open(self) -> None:
        try:
            self._file = SampleFile(self._path)
        except OSError as error:
            self._stop(error)
            return
        if self._file.begun_anew or self._trouble:
            reason = "they can be kept again" if self._trouble else "the file was broken, or of another version"
            self._log.emit("samples.begun_anew", path=str(self._path), reason=reason)
        self._trouble = ""
        self._begin_round()

    def _stop(self, error: OSError) -> None:
        """Sample no more until the file can be used: what cannot be kept is not worth to be measured."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._left.clear()
        if self._timer is not None:
            self._timer.cancel()
        if str(error) != self._trouble:
            self._trouble = str(error)
            self._log.emit("samples.stopped", path=str(self._path), reason=self._trouble)
        self._loop.call_in(AGAIN_S, self._open)

    def _forget(self, slot: LiveSlot) -> None:
        self._attempt(lambda file: file.forget(_key(slot)))

    def _forget_others(self) -> None:
        """Free what belongs to jobs that have gone while no daemon ran."""
        self._attempt(lambda file: file.keep_only(map(_key, self._slot_set.job_slots())))

    def _attempt(self, call: Callable[[SampleFile], None]) -> None:
        if self._file is not None:
            try:
                call(self._file)
            except OSError as error:
                self._stop(error)

    # the rounds

    def _begin_round(self) -> None:
        if self._file is None:
            return
        self._timer = self._loop.call_in(self._seconds, self._begin_round)
        self._left = deque(slot for slot in self._slot_set.job_slots() if slot.child is not None)
        turns = max(TURNS, ceil(len(self._left) / MOST_A_TURN))
        self._a_turn, self._pause = ceil(len(self._left) / turns), self._seconds / turns
        rounds = max(ROUNDS_A_DELIVERY, len(self._left) / SLOTS_A_ROUND)
        self._delivery_s = rounds * self._seconds
        self._go_on()

    def _go_on(self) -> None:
        sampled = []
        for _ in range(min(self._a_turn, len(self._left))):
            slot = self._left.popleft()
            if self._sample(slot):
                sampled.append(slot)
        self._deliver(sampled)
        if self._left:
            self._loop.call_in(self._pause, self._go_on)

    def _wake(self, slot: LiveSlot) -> None:
        """Sample a child that has become ready, unless its slot has just had one: short lives must not fill a ring."""
        if self._file is None or slot.builtin or not slot.is_running or slot.child is None:
            return
        if not slot.child.usage.has_begun and self._loop.clock.wall() - self._file.last(_key(slot)) >= self._seconds:
            self._loop.call_soon(partial(self._deliver_first, slot))

    def _deliver_first(self, slot: LiveSlot) -> None:
        if self._sample(slot):
            self._deliver([slot])

    def _sample(self, slot: LiveSlot) -> bool:
        """Measure a slot's child and keep that; return whether there was one."""
        child, clock = slot.child, self._loop.clock
        if self._file is None or child is None or child.ended or child.pid is None or child.licensed_at is None:
            return False
        if self._file.last(_key(slot)) == int(clock.wall()):
            return False  # two samples of one second would be read as one, without the mark of a run's first
        now, beat, growth = clock.monotonic(), child.page.last_beat, child.growth
        if slot.spec.max_memory is not None and slot.is_running and now - growth.looked_at >= max(1.0, self._seconds):
            grown, growth.looked_at = growth.look(child.pid), now
            if grown is not None and grown > NEAR * slot.spec.max_memory:
                growth.due = now  # the watchdog is to judge that
        is_judged = now - growth.looked_at < max(1.0, self._seconds)
        before = child.usage.processor_s
        sample = child.usage.sample(child.pid, growth, clock, now - beat if beat else None, is_judged=is_judged)
        if sample is None:
            return False
        slot.is_measured = True
        slot.processor_s += child.usage.processor_s - before
        self._attempt(lambda file: file.append(_key(slot), sample))
        return self._file is not None

    # to the rows

    def _deliver(self, slots: list[LiveSlot]) -> None:
        """Have the ledger bring the curves to the rows that are due; what it cannot take goes with a later round."""
        now = self._loop.clock.monotonic()
        due = [slot for slot in slots if slot.has_row and now >= slot.curve_due]
        for start in range(0, len(due), SLOTS_A_MESSAGE):
            some = due[start : start + SLOTS_A_MESSAGE]
            curves = [[*_key(slot), self._packed(slot)] for slot in some]
            if not self.deliver(Sampled(curves)):
                return
            for slot in some:
                slot.curve_due = now + self._delivery_s
                if slot.child is not None and slot.child.growth.seen != slot.written_memory:
                    slot.written_memory = slot.child.growth.seen
                    self._slot_set.note_change(slot)  # its row is to show the same memory as its curve

    def _packed(self, slot: LiveSlot) -> str:
        if self._file is None:
            return ""
        try:
            return binascii.b2a_base64(self._file.read_packed(_key(slot)), newline=False).decode()
        except OSError as error:
            self._stop(error)
            return ""


def _key(slot: LiveSlot) -> tuple[str, int]:
    return slot.spec.name, slot.index

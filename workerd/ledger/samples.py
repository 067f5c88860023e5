"""Brings the samples of slots to their rows, some at a time. The newest of a slot counts; to lose some is no loss."""

import binascii
import threading
import time

from django.db import Error, transaction

from workerd.forksafe.db_errors import DatabaseFault, classify
from workerd.forksafe.events import emit
from workerd.models import Slot
from workerd.wire.curves import slot_text
from workerd.wire.messages import Sampled
from workerd.wire.recent_memory import summarize

WRITE_S = 5.0
MOST_ROWS = 50
"""The rows of one statement; the others follow with the next turn."""
MOST_WAITING = 200
"""The curves that are kept for a database that is out; of more, the oldest go."""


class SlotSamples:
    """The samples that the daemon has sent last; they come in either thread, and the main one writes them."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, int], bytes] = {}
        self._due = 0.0
        self._refusal = ""

    def hear(self, message: Sampled) -> None:
        """Keep the newest of each slot."""
        with self._lock:
            for name, index, text in message.curves:
                self._waiting.pop((name, index), None)
                self._waiting[name, index] = binascii.a2b_base64(text)
            while len(self._waiting) > MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]

    def write(self, node_id: int) -> None:
        """Write what waits, in two queries, once in five seconds. Raises the database's errors, but no refusal."""
        now = time.monotonic()
        if now < self._due or not self._waiting:
            return
        with self._lock:
            places = list(self._waiting)[:MOST_ROWS]
            some = {place: self._waiting.pop(place) for place in places}
        self._due = now + (0.0 if self._waiting else WRITE_S)
        try:
            self._update(node_id, some)
            self._refusal = ""
        except Error as error:
            if classify(error) is not DatabaseFault.POISON:
                raise
            self._tell(error)

    def _update(self, node_id: int, some: dict[tuple[str, int], bytes]) -> None:
        slots = Slot.objects.using(self._alias).filter(node_id=node_id, job_name__in={name for name, _ in some})
        rows = [row for row in slots.only("pk", "job_name", "index") if (row.job_name, row.index) in some]
        for row in rows:
            packed = some[row.job_name, row.index]
            row.samples, row.recent_memory = slot_text(packed), summarize(packed)
        with transaction.atomic(using=self._alias):
            Slot.objects.using(self._alias).bulk_update(rows, ("samples", "recent_memory"))

    def _tell(self, error: Error) -> None:
        reason = f"{type(error).__name__}: {error}"[:300]
        if reason != self._refusal:
            self._refusal = reason
            emit("samples.refused", reason=reason)

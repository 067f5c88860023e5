"""Operators' orders that concern the whole fleet: the daemon knows its own node alone, the rows know all of it."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Q

from workerd.fleet.draining import left_without, refusal
from workerd.fleet.picture import read_fleet
from workerd.models import Job, Node, Operation, Seat
from workerd.models.operation import LIFETIME, database_now
from workerd.wire.messages import DrainWeighed, Message, PassedOn, PassOn, SeatsStopped, StopSeats, WeighDrain
from workerd.wire.words import slot_name

from .node import NodeRow
from .sanitize import clean_text

Place = tuple[int, int]

AT_ONCE = 200
STALE_S = LIFETIME.total_seconds()
"""An order that the database could not take for so long is dropped, as one in a row is."""


class FleetOrders:
    """Takes the daemon's words from any thread; ``carry_out`` asks the database, in the ledger's main thread."""

    def __init__(self, alias: str, node: NodeRow, send: Callable[[Message], None]) -> None:
        self._alias = alias
        self._node = node
        self._send = send
        self._asked: deque[tuple[float, Message]] = deque()
        self._lock = threading.Lock()

    def hear(self, message: Message) -> None:
        """Take what the daemon asks for."""
        with self._lock:
            self._asked.append((time.monotonic(), message))

    def carry_out(self) -> None:
        """Do what is asked for, in order. Raises the database's errors; what is left is done at the next call."""
        while (first := self._first()) is not None:
            answer = self._answer(first)
            with self._lock:
                self._asked.popleft()
            self._send(answer)

    def _first(self) -> Message | None:
        with self._lock:
            while self._asked and time.monotonic() - self._asked[0][0] > STALE_S:
                self._asked.popleft()
            return self._asked[0][1] if self._asked else None

    def _answer(self, message: Message) -> Message:
        match message:
            case StopSeats():
                return self._stop(message)
            case PassOn():
                return self._pass_on(message)
            case _:
                return self._weigh()

    def _stop(self, message: StopSeats) -> Message:
        who = clean_text(message.stopped_by, Seat._meta.get_field("stopped_by").max_length)
        places = _places(message.seats)
        for start in range(0, len(places), AT_ONCE):
            seats = self._seats(places[start : start + AT_ONCE])
            if not who:  # whoever starts it again wants no time of its schedule made up for
                seats.exclude(stopped_by="").update(settled_until=None, due=None)
            seats.update(stopped_by=who)
        return SeatsStopped(message.seats, message.stopped_by)

    def _pass_on(self, message: PassOn) -> Message:
        """Write an order for each seat that another node holds, all as one act."""
        places, now = _places(message.seats), database_now()
        jobs = Job.objects.using(self._alias).in_bulk({job_id for job_id, _index in places})
        holders: dict[Place, Node] = {}
        for start in range(0, len(places), AT_ONCE):
            held = self._seats(places[start : start + AT_ONCE]).exclude(life=None).exclude(node_id=self._node.pk)
            holders |= {(seat.job_id, seat.index): seat.node for seat in held.select_related("node") if seat.node}
        for (job_id, index), node in holders.items():
            if (job := jobs.get(job_id)) is not None:
                self._order(message, job, index, node, {"requested": now, "expires": now + LIFETIME})
        return PassedOn(message.verb, [[*place, str(holders.get(place, ""))] for place in places])

    def _order(self, message: PassOn, job: Job, index: int, node: Node, times: dict[str, Any]) -> None:
        slot = slot_name(job.name, index, job.processes)
        who = clean_text(message.requested_by, 255)
        row = Operation(verb=message.verb, job=job, job_name=job.name, slot=slot, node=node, requested_by=who, **times)
        row.save(using=self._alias, force_insert=True)  # a save wakes that node's ledger

    def _weigh(self) -> Message:
        fleet = read_fleet(self._alias)
        me = next((node for node in fleet.nodes if node.pk == self._node.pk), None)
        return DrainWeighed(refusal(left_without(fleet, me), me) if me is not None else "")

    def _seats(self, places: Sequence[Place]) -> Any:
        wanted = Q()
        for job_id, index in places:
            wanted |= Q(job_id=job_id, index=index)
        return Seat.objects.using(self._alias).filter(wanted) if places else Seat.objects.none()


ABOUT_THE_FLEET = (StopSeats, PassOn, WeighDrain)


def _places(seats: Sequence[Sequence[Any]]) -> list[Place]:
    return [(int(job_id), int(index)) for job_id, index, *_ in seats]

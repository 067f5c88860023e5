"""The requests of the daemon and the job rows to the keeper: other threads write them down, the keeper's takes them."""

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from workerd.wire.lease import boot_time
from workerd.wire.messages import (
    Alive,
    Draining,
    Message,
    RolloutWanted,
    SeatDeclined,
    SeatReleased,
    SeatSettled,
)
from workerd.wire.rollout_seat import ROLLOUT_SPEC

from .asked import Asked, Wanted
from .place import Held
from .waking import GivenUp, read_payload
from .window import Place


class Woken(NamedTuple):
    """The reasons for which the keeper waits no longer, beside its time."""

    look: bool
    """A look is asked for."""
    given_up: tuple[GivenUp, ...]
    """Seats that other nodes have given up."""


class Requests:
    """Keeps what is asked, and wakes the keeper where it should not wait for its time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asked = Asked()
        self._by_rows = Wanted()
        self._rollout_wanted = False
        self._urgent = self._look_asked = self._awaits_daemon = False
        self._running = False
        self._given_up: tuple[GivenUp, ...] = ()

    def take(self) -> Asked:
        with self._changed:
            return self._asked

    def want(self, wanted: Wanted) -> None:
        """Take the fleet jobs of the rows."""
        with self._changed:
            self._by_rows = wanted
            self._want_all()

    def hear(self, message: Message) -> None:
        """Take what the daemon says."""
        with self._changed:
            asked = self._asked
            match message:
                case Alive():
                    self._asked = replace(asked, alive=message)
                    if self._awaits_daemon:
                        self._wake(look=True)
                case SeatSettled():
                    others = [
                        one for one in asked.settled if (one.job_id, one.index) != (message.job_id, message.index)
                    ]
                    self._asked = replace(asked, settled=(*others, message))
                    self._wake()
                case SeatReleased():
                    seat = (message.job_id, message.index), message.token
                    self._asked = replace(asked, releases=asked.releases | {seat})
                    self._wake()
                case SeatDeclined():
                    declined = {pk: why for pk, why in asked.declined.items() if pk != message.job_id}
                    declined |= {message.job_id: message.reason} if message.reason else {}
                    if declined == asked.declined:
                        return
                    self._asked = replace(asked, declined=declined)
                    self._wake(look=True)
                case RolloutWanted():
                    self._rollout_wanted = message.wanted
                    self._want_all()
                case Draining() if message.draining != asked.draining:
                    self._asked = replace(asked, draining=message.draining)
                    self._wake(look=not message.draining)  # its seats are about to be released, and that comes first

    def hurry(self, payload: str) -> None:
        """Tell the keeper what a NOTIFY of another ledger says: a seat is free."""
        given_up = read_payload(payload)
        with self._changed:
            if given_up is not None:
                self._given_up = (*self._given_up, given_up)
            self._wake(look=given_up is None)

    def end(self) -> None:
        """Have the keeper do the releases that are asked for, and end."""
        with self._changed:
            self._asked = replace(self._asked, ended=True)
            self._wake()

    def enter(self) -> bool:
        """Return whether a keeper is needed now and none runs; then the caller starts one."""
        with self._changed:
            wanted = self._asked.wanted
            needed = not self._running and bool(wanted.jobs) and wanted.node_id is not None and not self._asked.ended
            self._running = self._running or needed
            return needed

    def leave(self, *, holds: bool) -> bool:
        """Return whether the keeper may end: what was told is written, and it is to, or holds and wants nothing."""
        with self._changed:
            asked = self._asked
            unwritten = bool(asked.releases or asked.settled)  # it may have come while the keeper had its turn
            done = not unwritten and (asked.ended or not (asked.wanted.jobs or holds))
            self._running = self._running and not done
            return done

    def released(self, seats: Iterable[tuple[Place, int]]) -> None:
        """Forget releases that were carried out."""
        with self._changed:
            self._asked = replace(self._asked, releases=self._asked.releases - set(seats))

    def noted(self, settled: SeatSettled) -> None:
        """Forget what was written, unless there is something newer of the seat by now."""
        with self._changed:
            self._asked = replace(self._asked, settled=tuple(one for one in self._asked.settled if one is not settled))

    def kept(self, held: Iterable[Held]) -> list[Held]:
        """Return those of the seats that are not to be given up."""
        releases = self.take().releases
        return [seat for seat in held if (seat.place, seat.token) not in releases]

    def wait(self, seconds: float) -> Woken:
        """Wait, until something is asked for at once; return what that is."""
        with self._changed:
            if not self._urgent:
                self._changed.wait(max(0.0, seconds))
            woken = Woken(self._look_asked, self._given_up)
            self._look_asked, self._urgent, self._given_up = False, False, ()
            return woken

    def await_daemon(self, *, awaited: bool) -> None:
        """Note whether the keeper waits for nothing but the daemon's word that it turns."""
        with self._changed:
            self._awaits_daemon = awaited

    def _want_all(self) -> None:
        """Want the seats of jobs, and the one without a job where the daemon asks for it."""
        more = (ROLLOUT_SPEC,) if self._rollout_wanted else ()
        wanted = replace(self._by_rows, jobs=(*self._by_rows.jobs, *more))
        if wanted != self._asked.wanted:
            self._asked = replace(self._asked, wanted=wanted)
            self._wake(look=True)

    def _wake(self, *, look: bool = False) -> None:
        self._look_asked = self._look_asked or look
        self._urgent = True
        self._changed.notify_all()


def is_fresh(alive: Alive | None, within: float) -> bool:
    """Return whether the daemon has said within so many seconds that it turns."""
    return alive is not None and boot_time() - alive.now < within

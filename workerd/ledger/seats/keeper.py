"""The keeper: a thread that renews the seats of this life, looks at all of them, and claims and releases.

It asks the database alone, on a connection of its own, so that no batch of records delays it. While the database is
out it says nothing: the daemon's deadlines do the rest.
"""

from collections.abc import Callable
from contextlib import suppress

from django.db import Error

from workerd.ledger.receiver import DaemonGoneError
from workerd.wire.lease import boot_time
from workerd.wire.messages import Alive, Message, NodeDisplaced

from .asked import Asked
from .contact import Contact
from .holder import Holder
from .home import Home
from .place import Me
from .renewal import DisplacedError, UnregisteredError, write_draining
from .requests import Requests, Woken, is_fresh
from .session import Session
from .watch import Watch

LEAST_FRESH_S = 2.0
"""The daemon says each second that it turns; so much later it may be heard."""
IDLE_S = 60.0


class Keeper:
    """One for each time that there are fleet jobs. ``run`` is the thread."""

    def __init__(self, home: Home, requests: Requests, send: Callable[[Message], None]) -> None:
        self._life = home.life
        self._requests = requests
        self._send = send
        self._contact = Contact(home.alias)
        self._holder = Holder(home, requests, send)
        self._watch = Watch(home, self._holder, requests, send)
        self._renew_at = 0.0
        self._draining = False

    def run(self) -> None:
        """Go on until nothing is wanted and nothing held, or the ledger ends, or the daemon is gone."""
        goes_on = True
        while goes_on:
            woken = self._requests.wait(self._due_in())
            try:
                goes_on = self._goes_on(woken)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end the renewals; an event says it
                self._contact.broke(error)
                goes_on = self._begin_anew()
            goes_on = goes_on and not self._requests.leave(holds=self._holder.holds)
        self._contact.close()

    def _goes_on(self, woken: Woken) -> bool:
        """Take one turn; return False where there is nobody left to tell of another."""
        try:
            self._turn(woken)
        except DaemonGoneError:
            return False
        except DisplacedError as error:
            with suppress(DaemonGoneError):
                self._send(NodeDisplaced(str(error), str(error.life)))
            return False
        except UnregisteredError:
            self._contact.wait()  # the ledger's pulse makes the row anew
        except (Error, OSError) as error:
            if self._contact.failed(error, self._watch.nodes):
                self._watch.database_out()
            return self._begin_anew()
        return True

    def _begin_anew(self) -> bool:
        """Renew and look as soon as the next try is due; return whether there is to be one."""
        self._renew_at = 0.0
        self._watch.soon()
        return not self._requests.take().ended

    def _due_in(self) -> float:
        if self._requests.take().wanted.node_id is None:
            return IDLE_S
        return max(self._contact.retry_at, min(self._renew_at, self._watch.due)) - boot_time()

    def _turn(self, woken: Woken) -> None:
        asked = self._requests.take()
        session = self._contact.pace(self._shortest(asked))
        me = Me(asked.wanted.node_id, self._life) if asked.wanted.node_id is not None else None
        if woken.look:
            self._watch.soon()
        if me is not None:
            self._watch.hear(woken.given_up, me, asked)
        if boot_time() < self._contact.retry_at and not asked.ended:
            return
        self._holder.note(session, asked)
        if me is not None and self._draining != asked.draining:
            write_draining(session, me, draining=asked.draining)
            self._draining = asked.draining
        self._holder.release(session, asked)
        if me is not None and not asked.ended:
            self._renew_and_look(session, me, asked)

    def _renew_and_look(self, session: Session, me: Me, asked: Asked) -> None:
        contact, now = self._contact, boot_time()
        fresh = is_fresh(asked.alive, max(contact.interval, LEAST_FRESH_S))
        self._requests.await_daemon(awaited=not fresh)
        if now >= self._renew_at or (fresh and not contact.confirmed):
            self._renew_at = now + contact.spread()
            contact.confirmed = contact.confirmed and fresh
            if fresh and asked.alive is not None:
                self._renew(session, me, asked, asked.alive)
        claim_until = self._renew_at if fresh and contact.confirmed else 0.0
        self._watch.look(session, me, asked, contact.spread(), claim_until)

    def _renew(self, session: Session, me: Me, asked: Asked, alive: Alive) -> None:
        self._holder.renew(session, me, asked, alive)
        if self._contact.answered():
            self._watch.within(self._contact.interval)
        self._holder.give_up(session, me, alive)

    def _shortest(self, asked: Asked) -> float:
        """Return the shortest ``takeover_after`` of what is wanted and held."""
        seconds = [job.takeover_after for job in asked.wanted.jobs]
        seconds += [seat.takeover_ms / 1000 for seat in self._holder.held]
        return min(seconds, default=30.0)

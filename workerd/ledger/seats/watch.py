"""The watch: when this node looks at all seats, and what it claims, makes and tells by that."""

import math
import random
from collections.abc import Callable, Iterable

from workerd.wire.lease import boot_time
from workerd.wire.messages import Message
from workerd.wire.rollout_seat import ROLLOUT

from .asked import Asked
from .choice import Choice, Plan
from .claims import claim, delete_unwanted, make, release, token_after
from .holder import Holder, wanted_ms
from .home import Home
from .look import Looks
from .node_rows import read_nodes
from .place import Held, Me
from .reasons import IN_QUESTION, MINE, Told
from .requests import Requests
from .session import Session
from .waking import GivenUp

SWEEP_S = 60.0
HELPERS = 2
"""Of a seat that was given up so many look soon, beside the node whose it is: that one may just have gone."""
HELP_S = 0.2


class Watch:
    """Looks at its time, and between where a seat may be this node's. Times are boot-time seconds."""

    def __init__(self, home: Home, holder: Holder, requests: Requests, send: Callable[[Message], None]) -> None:
        self._holder = holder
        self._requests = requests
        self._send = send
        self._choice = Choice(home.earlier)
        self._looks = Looks()
        self._told = Told()
        self._look_at = self._sweep_at = 0.0
        self._soon_at = math.inf

    @property
    def due(self) -> float:
        return min(self._look_at, self._soon_at)

    @property
    def nodes(self) -> int:
        """How many nodes there are, as far as is known."""
        return self._choice.nodes.count

    def hear(self, given_up: Iterable[GivenUp], me: Me, asked: Asked) -> None:
        """Look soon where one of the seats may be this node's to take: the others see at their time that it is gone."""
        for place, giver in given_up:
            rank = self._choice.rank(place, giver, me, asked)
            if rank is not None and rank <= HELPERS:
                self._soon_at = min(self._soon_at, boot_time() + rank * HELP_S)

    def soon(self) -> None:
        """Look at the next turn."""
        self._soon_at = 0.0

    def within(self, seconds: float) -> None:
        """Look at some moment within so many seconds, as all other nodes are about to."""
        self._look_at, self._soon_at = boot_time() + seconds * random.random(), math.inf

    def look(self, session: Session, me: Me, asked: Asked, interval: float, claim_until: float) -> None:
        """Look, if it is time; claim nothing that is not begun by ``claim_until``."""
        now = boot_time()
        if now < self.due:
            return
        counts = now >= self._look_at
        if counts:
            self._look_at = now + interval
        self._soon_at = math.inf
        plan = self._choice.look(self._looks.look(session), me, asked, lambda: read_nodes(session), counts=counts)
        self._holder.reach(plan.server)
        self._holder.believed = self._choice.believed
        plan.words |= dict.fromkeys(self._holder.in_question & plan.words.keys(), IN_QUESTION)
        self._soon_at = self._choice.ripe_at
        if plan.missing:
            make(session, plan.missing)
            self.soon()
        if claim_until > now:
            self._claim(session, plan, me, asked, claim_until)
            for seat in plan.left:
                release(session, seat.place, seat.token, seat.life, me.node_id)
        for message in self._told.tell(plan.words):
            self._send(message)
        if plan.unwanted and boot_time() >= self._sweep_at:
            self._sweep_at = boot_time() + SWEEP_S
            delete_unwanted(session, plan.unwanted)

    def database_out(self) -> None:
        """Tell the daemon that nothing is known of any seat."""
        for message in self._told.database_out():
            self._send(message)

    def _claim(self, session: Session, plan: Plan, me: Me, asked: Asked, until: float) -> None:
        wanted = wanted_ms(asked)
        for seat in plan.claims:
            now = self._requests.take()
            if now.ended or (now.draining and seat.place != ROLLOUT):
                return
            if boot_time() >= until:  # what is held comes first
                self.soon()
                return
            sent, ms = boot_time(), wanted[seat.place]
            token = token_after(seat)
            self._holder.attempt(seat.place, token, sent, ms / 1000)
            if claim(session, seat, token, plan.server, me, ms):
                held = Held(seat.place, token, ms, "")
                before = self._choice.taken_from(seat), self._choice.before(seat)
                self._holder.take(session, held, sent, before, asked)
                plan.words[seat.place] = MINE

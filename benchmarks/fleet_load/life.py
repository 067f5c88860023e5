"""One node as its database sees it: the real ledger's loop and the real keeper's statements, without a process."""

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db import connections

from workerd.conf import Settings
from workerd.ledger.jobs import JobRows
from workerd.ledger.main import LedgerLoop
from workerd.ledger.seats.look import look
from workerd.ledger.seats.place import Me
from workerd.ledger.seats.renewal import OwnRow, renew
from workerd.ledger.seats.session import Session, patience
from workerd.models import Node
from workerd.targets import check_allowed
from workerd.wire.channel import Channel
from workerd.wire.lease import renewal_interval
from workerd.wire.messages import License, Message
from workerd.wire.page import HeartbeatPage

TAKEOVER_S = 30.0
INTERVAL_S = renewal_interval(TAKEOVER_S)


class Silent(Channel):
    """A channel to a daemon that nobody has started."""

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Drop it."""


SILENT = Silent(Channel.pair()[0].socket)


class Rows(JobRows):
    """The job rows without what a ledger makes of them, which costs its server nothing."""

    def poll(self) -> list[Message]:
        """Read what has changed, and tell nothing: so there are no fleet jobs for another thread to see to."""
        self._reading.rows()
        return []


class Life:
    """A node: what its ledger's loop does by itself, and what its keeper does each interval."""

    def __init__(self, index: int, alias: str, seats_alias: str, settings: Settings, page: HeartbeatPage) -> None:
        self.life = uuid.uuid4()
        self.asked: Counter[str] = Counter()
        self._aliases = alias, seats_alias
        self.name = f"node-{index:03}"
        license_ = License({}, 0, "run", 1, self.name, "bench", "mark", key=str(uuid.uuid4()), life=str(self.life))
        self.loop = LedgerLoop(SILENT, page, license_, replace(settings, database=alias, state_dir=None))
        self.loop._jobs = Rows(alias, check_allowed)
        self._session = Session(seats_alias, patience(TAKEOVER_S))
        self._me: Me | None = None

    def arrive(self) -> None:
        """Make contact, and count the statements from now on."""
        self.loop._turn()
        node = Node.objects.using(self._aliases[0]).get(name=self.name)
        Node.objects.using(self._aliases[0]).filter(pk=node.pk).update(record_version=1)
        self._me = Me(node.pk, self.life)
        for alias in self._aliases:
            connections[alias].execute_wrappers.append(self._count)

    @property
    def pk(self) -> int:
        assert self._me is not None
        return self._me.node_id

    @property
    def descriptor(self) -> int | None:
        return self.loop._push.descriptor

    def turn(self) -> float:
        """Do what is due; return the seconds until the next."""
        self.loop._turn()
        return max(self.loop._due_in(), 0.001)

    def poll(self) -> None:
        """Ask about the job rows and for orders."""
        self.loop._poll(time.monotonic())

    def renew(self) -> int:
        """Renew the seats; return how many there are."""
        return len(renew(self._session, self._known, OwnRow("{}", draining=False), {}))

    def look(self) -> int:
        """Look at all seats; return how many rows that read."""
        seen = look(self._session)
        return len(seen.seats) + len(seen.nodes)

    @property
    def _known(self) -> Me:
        assert self._me is not None
        return self._me

    def _count(self, execute: Any, sql: str, *rest: Any) -> Any:
        self.asked[sql.split(None, 1)[0]] += 1
        return execute(sql, *rest)

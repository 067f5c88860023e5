"""One node as its database sees it: the real ledger's loop and the real keeper's statements, without a process."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from django.db import connections

from workerd.conf import Settings
from workerd.ledger.jobs import JobRows
from workerd.ledger.main import LedgerLoop
from workerd.ledger.seats.contact import Contact
from workerd.ledger.seats.look import Looks
from workerd.ledger.seats.place import Me
from workerd.ledger.seats.renewal import OwnRow, renew
from workerd.models import Node
from workerd.targets import check_allowed
from workerd.wire.channel import Channel
from workerd.wire.lease import renewal_interval
from workerd.wire.messages import License, Message
from workerd.wire.page import HeartbeatPage

TAKEOVER_S = 30.0
INTERVAL_S = renewal_interval(TAKEOVER_S)
IN_TRANSACTIONS = {"renewals", "looks"}
"""The parts of the keeper, over its own session."""


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
    """A node: what its ledger's loop does by itself, and what its keeper does each interval.

    ``record`` plays each part once by the ledger's own code; ``replay`` sends the same statements again, over the same
    sessions, without the ledger: so one process can play hundreds of nodes at their pace.
    """

    def __init__(self, index: int, alias: str, seats_alias: str, settings: Settings, page: HeartbeatPage) -> None:
        self.life = uuid.uuid4()
        self.asked = 0
        self.statements: dict[str, list[str]] = {}
        self._aliases = alias, seats_alias
        self.name = f"node-{index:03}"
        license_ = License({}, 0, "run", 1, self.name, "bench", "mark", key=str(uuid.uuid4()), life=str(self.life))
        self.loop = LedgerLoop(SILENT, page, license_, replace(settings, database=alias, state_dir=None))
        self.loop._jobs = Rows(alias, check_allowed)
        self.contact = Contact(seats_alias)
        self._session = self.contact.pace(TAKEOVER_S)
        self._looks = Looks()
        self._me: Me | None = None

    def arrive(self) -> None:
        """Make contact."""
        self.loop._turn()
        node = Node.objects.using(self._aliases[0]).get(name=self.name)
        Node.objects.using(self._aliases[0]).filter(pk=node.pk).update(record_version=1)
        self._me = Me(node.pk, self.life)

    def record(self) -> None:
        """Play each part, and write down what it sends once nothing is new."""
        for part, play in self.parts().items():
            play()
            sent: list[str] = []
            self.statements[part] = sent
            alias = self._alias(part)
            with connections[alias].execute_wrapper(self._recorder(sent)):
                play()
            if part in IN_TRANSACTIONS:
                sent[:] = ["BEGIN", *sent, "COMMIT"]

    def parts(self) -> dict[str, Callable[[], Any]]:
        """Return what is done again and again, by the ledger's own code."""
        return {
            "polls": self.poll,
            "minutes": self.minute,
            "pulses": self.loop._node.write_pulse,
            "renewals": self.renew,
            "looks": self.look,
        }

    def replay(self, part: str) -> None:
        """Send the statements of a part; their answers are received, and not read."""
        raw = connections[self._alias(part)].connection
        with raw.cursor() as cursor:
            for statement in self.statements[part]:
                cursor.execute(statement)
                self.asked += 1

    @property
    def pk(self) -> int:
        return self._known.node_id

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

    def minute(self) -> None:
        """The same, where all rows are read and the nodes counted, as once a minute."""
        self.loop._jobs._reading._full_at = self.loop._living._count_at = 0.0
        self.poll()

    def renew(self) -> int:
        """Renew the seats; return how many there are."""
        return len(renew(self._session, self._known, OwnRow("{}", draining=False), {}))

    def look(self) -> None:
        """Look at all seats."""
        self._looks.look(self._session)

    @property
    def _known(self) -> Me:
        assert self._me is not None
        return self._me

    def _alias(self, part: str) -> str:
        return self._aliases[part in IN_TRANSACTIONS]

    def _recorder(self, sent: list[str]) -> Callable[..., Any]:
        def record(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            with context["connection"].connection.cursor() as cursor:
                text = cursor.mogrify(sql, params)
            sent.append(text.decode() if isinstance(text, bytes) else text)
            return execute(sql, params, many, context)

        return record

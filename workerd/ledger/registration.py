"""Registration: a daemon's life takes the node's row by compare and set, so that of two lives one has it.

The row is found by the key, else by name and host; names are for people. A life takes a row once: where it had the row
already and finds another life there, it was displaced.
"""

import os
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import IntegrityError, OperationalError, connections
from django.db.models import Max, Q

from workerd.models import Node, Slot
from workerd.models.clock import DatabaseNow
from workerd.models.node import LATE
from workerd.wire.epochs import first_after
from workerd.wire.messages import License

from .connection import write_transaction
from .daemon_process import has_surely_ended, own_daemon
from .sanitize import clean_text

TRIES = 10
"""Other ledgers may change the row between a look and the write that goes by it; ever again they do not."""


@dataclass(frozen=True)
class Claimant:
    """The daemon's life that wants the row; ``version`` is what its records' versions are not smaller than."""

    name: str
    host: str
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    life: uuid.UUID = field(default_factory=uuid.uuid4)
    registered: bool = False
    earlier: uuid.UUID | None = None
    same_boot: bool = False
    version: int = 0
    yields_to: uuid.UUID | None = None

    @classmethod
    def from_license(cls, license: License, journal_version: int = 0) -> "Claimant":  # noqa: A002 - the wire's word
        """Return what a ledger's licence says; the daemon passes over what the journal holds of lives before it."""
        version = license.version
        return cls(
            clean_text(license.node, Node._meta.get_field("name").max_length),
            clean_text(license.host, Node._meta.get_field("host").max_length),
            uuid.UUID(license.key),
            uuid.UUID(license.life),
            license.registered,
            uuid.UUID(license.earlier) if license.earlier else None,
            license.same_boot,
            first_after(journal_version) if journal_version and journal_version >= version else version,
            uuid.UUID(license.yields_to) if license.yields_to else None,
        )

    @property
    def label(self) -> str:
        return f"{self.name}@{self.host}"


class Seen(NamedTuple):
    """A node's row as it was read."""

    pk: int
    name: str
    host: str
    key: uuid.UUID | None
    life: uuid.UUID | None
    daemon_pid: int | None
    pulse: datetime | None
    process: str | None
    record_version: int
    cannot: str | None
    now: datetime

    @property
    def label(self) -> str:
        return f"{self.name}@{self.host}"

    @property
    def is_fresh(self) -> bool:
        return self.pulse is not None and self.now - self.pulse <= LATE

    def describe(self) -> str:
        """Return who has the row, and since when it is silent."""
        pid = f"pid {self.daemon_pid}" if self.daemon_pid else "of unknown pid"
        ago = "it has no pulse yet" if self.pulse is None else f"pulse {max(0.0, _seconds(self)):.1f} s ago"
        return f"{pid}, {ago}"


class Registered(NamedTuple):
    """The result of a registration; with ``lost_to`` the row is another life's for good."""

    seen: Seen
    """The row before this."""
    lost_to: str = ""
    displaced: str = ""
    """The life that had the row, in words, if it may still run."""
    shown_as: str = ""
    """The row's name, where another row has the claimant's names."""
    reserved: int = 0
    """The first version of this life's records, where the life is new in the row."""


def look_up(alias: str, who: Claimant) -> tuple[Seen | None, Seen | None]:
    """Return the row with the claimant's key, and the one with its name and host."""
    rows = Node.objects.using(alias).filter(Q(key=who.key) | Q(name=who.name, host=who.host))
    found = [Seen(*row) for row in rows.annotate(now=DatabaseNow()).values_list(*Seen._fields)]
    return (
        next((seen for seen in found if seen.key == who.key), None),
        next((seen for seen in found if (seen.name, seen.host) == (who.name, who.host)), None),
    )


def register(alias: str, who: Claimant) -> Registered:
    """Take the row, or find that another life has it. Raises the database's errors."""
    for _ in range(TRIES):
        ours, namesake = look_up(alias, who)
        seen = ours or namesake
        if seen is None:
            _make(alias, who)
            continue
        if _keeps_it(seen, who):
            return Registered(seen, lost_to=_say_lost(seen))
        done = _take(alias, who, seen, namesake)
        if done is not None:
            return done
    raise OperationalError(f"the row of node {who.label} is another one at each look")


def _keeps_it(seen: Seen, who: Claimant) -> bool:
    """Return whether the row stays another life's: it was ours already, or that life has displaced the one before us.

    Else a service manager that starts the displaced daemon again would have the two displace each other without end.
    """
    if seen.life is None or seen.life == who.life:
        return False
    return who.registered or (seen.life == who.yields_to and seen.is_fresh)


def _make(alias: str, who: Claimant) -> None:
    """Make a row of no life, which the next look finds; so all that follows is one way."""
    with suppress(IntegrityError), write_transaction(connections[alias]):  # another one has made it meanwhile
        Node.objects.using(alias).create(name=who.name, host=who.host, key=who.key)


def _take(alias: str, who: Claimant, seen: Seen, namesake: Seen | None) -> Registered | None:
    """Write the life into the row; return None where the row is no longer as it was seen."""
    is_free = namesake is None or namesake.pk == seen.pk
    wanted: dict[str, Any] = {"key": who.key, "life": who.life, "daemon_pid": os.getppid()}
    if is_free:
        wanted |= {"name": who.name, "host": who.host}
    values = {column: value for column, value in wanted.items() if getattr(seen, column) != value}
    reserved = 0
    displaced = False
    if "life" in values:
        reserved = values["record_version"] = max(who.version, _first_free(alias, seen))
        values["process"] = own_daemon(who.life)
        values["cannot"] = "{}"  # the code of this life is not known yet
        displaced, is_contested = _may_run(seen, who)
        if is_contested:
            values["contested"] = seen.pulse or DatabaseNow()
    try:
        with write_transaction(connections[alias]):
            row = Node.objects.using(alias).filter(pk=seen.pk, key=seen.key, life=seen.life)
            if values and not row.update(**values):
                return None
    except IntegrityError:  # another row has got the key or the names meanwhile
        return None
    return Registered(
        seen,
        displaced=seen.describe() if displaced else "",
        shown_as="" if is_free else seen.label,
        reserved=reserved,
    )


def _may_run(seen: Seen, who: Claimant) -> tuple[bool, bool]:
    """Return whether the life in the row is most likely running, and whether a run of it may be.

    A life that ended in order has left the row. The one that had this STATE_DIR before has ended, as its lock is free,
    unless STATE_DIR is a copy on another machine. Of one that ran beside us the row says which process that was.
    """
    if seen.life is None or (seen.life == who.earlier and (who.same_boot or not seen.is_fresh)):
        return False, False
    if has_surely_ended(seen.process, seen.life):
        return False, False
    return seen.is_fresh, True


def _first_free(alias: str, seen: Seen) -> int:
    """Return the first version that is newer than any of the lives before."""
    slots = Slot.objects.using(alias).filter(node_id=seen.pk).aggregate(most=Max("version"))
    highest = max(seen.record_version, slots["most"] or 0)
    return first_after(highest) if highest else 0


def leave(alias: str, pk: int, who: Claimant) -> None:
    """Leave the row at the end in order: whoever takes it next displaces nobody."""
    Node.objects.using(alias).filter(pk=pk, life=who.life).update(life=None)


def _say_lost(seen: Seen) -> str:
    return (
        f"another daemon ({seen.describe()}) has taken over node {seen.label}: it has the NAME and host of this one, "
        "or a copy of its STATE_DIR. Give one of them another WORKERD['NAME'], host name or STATE_DIR"
    )


def _seconds(seen: Seen) -> float:
    return (seen.now - seen.pulse).total_seconds() if seen.pulse is not None else 0.0

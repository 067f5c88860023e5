"""Keeps the newest row of each run, slot and node for the ledger, until its journal has it."""

from typing import Any

from workerd.wire.messages import Record

from .link import Link
from .listeners import Listeners
from .versions import Versions

OUTBOX_MESSAGES = 256
"""The most records that wait in the ledger's link. The others wait here, where a newer row replaces an older."""


class RecordQueue:
    """Records by (kind, key) that the ledger has not acknowledged, sent in the order of their last change."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._kept: dict[tuple[str, str], Record] = {}
        self._unsent: dict[tuple[str, str], None] = {}
        self._sequence = 0
        self.on_safe: Listeners[[]] = Listeners()
        """Told when the journal has more of the records."""

    def add(self, kind: str, key: str, row: dict[str, Any] | None) -> None:
        """Keep the row as it is now, to be sent with the next flush."""
        self._sequence += 1
        identity = (kind, key)
        self._kept.pop(identity, None)  # so that it goes to the end: the ledger acknowledges "up to" a sequence
        self._kept[identity] = Record(self._sequence, kind, key, self._versions.next(), row)
        self._unsent.pop(identity, None)
        self._unsent[identity] = None

    def is_safe(self, kind: str, key: str) -> bool:
        """Return whether the journal, or the database, has the newest row that was kept."""
        return (kind, key) not in self._kept

    def send_again(self) -> None:
        """Send to a new ledger all that the old one did not acknowledge, in the order of sequences."""
        self._unsent = dict.fromkeys(sorted(self._kept, key=lambda identity: self._kept[identity].sequence))

    def pass_over(self, version: int, where: str) -> bool:
        """Take a version that the ledger found; if it was too large, give what is kept new ones, and return True."""
        if not self._versions.pass_over(version, where):
            return False
        for (kind, key), record in list(self._kept.items()):
            self.add(kind, key, record.row)
        return True

    def acknowledge(self, sequence: int) -> None:
        """Forget what the journal has, which is everything up to ``sequence``; what changed since stays."""
        done = [
            identity
            for identity, record in self._kept.items()
            if record.sequence <= sequence and identity not in self._unsent
        ]
        for identity in done:
            del self._kept[identity]
        self.on_safe()

    def flush(self, link: Link | None) -> None:
        """Send as much as the link takes now."""
        while self._unsent and link is not None and link.open and link.waiting < OUTBOX_MESSAGES:
            identity = next(iter(self._unsent))
            del self._unsent[identity]
            link.send(self._kept[identity])

    @property
    def all_sent(self) -> bool:
        """Whether nothing is left to send."""
        return not self._unsent

    @property
    def unacknowledged(self) -> int:
        """How many rows are not in the journal yet."""
        return len(self._kept)

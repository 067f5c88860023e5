"""The fleet's table of alerts: which node sends what is one matter for all. Its times are by the database's clock."""

import hashlib
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from workerd.ledger.connection import prepare_connection
from workerd.ledger.sanitize import clean_text
from workerd.models import FleetAlert
from workerd.models.clock import DatabaseNow

from .claim import Claim
from .outbox import Unclaimed

TAKE_OVER_AFTER = timedelta(seconds=60)
"""The time after which another node may claim what its claimer has not sent."""
KEPT = timedelta(days=30)
MOST_ROWS = 10_000
TIDY_S = 3600.0


class Questions(NamedTuple):
    """One question to the table: about these alerts, beside the ids of those that have been sent from here."""

    unclaimed: Sequence[Unclaimed]
    sent: Sequence[str]


class Answer(NamedTuple):
    """The table's answer about the alert with this number, and the id that it has in the fleet."""

    number: int
    claim: Claim
    id: str


class FleetAlerts:
    """One node's view of the table, for one thread. Raises the database's errors."""

    def __init__(self, alias: str, node: str) -> None:
        self._alias = alias
        self._node = clean_text(node, 400)
        self._prepared = False
        self._tidy_at = 0.0

    def ask(self, questions: Questions) -> list[Answer]:
        """Note what was sent, and return an answer for each alert, in their order."""
        if not self._prepared:  # in the thread that uses the connection
            prepare_connection(self._alias, 0)
            self._prepared = True
        for id_ in questions.sent:
            self._rows.filter(alert_id=UUID(id_), sent_at=None).update(sent_at=DatabaseNow())
        answers = [
            self._claim(alert) if alert.claim == Claim.WANTED else self._end(alert) for alert in questions.unclaimed
        ]
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + TIDY_S
            self._tidy()
        return answers

    @property
    def _rows(self) -> QuerySet[FleetAlert]:
        return FleetAlert.objects.using(self._alias)

    def _claim(self, alert: Unclaimed) -> Answer:
        row = self._rows.filter(pk=_hash(alert.key)).first()
        if row is None:
            return self._insert(alert)
        its = str(row.alert_id)
        if row.node == self._node and (row.sent_at is None or its == alert.id):
            return Answer(alert.number, Claim.MINE, its)
        if row.sent_at is not None:
            return Answer(alert.number, Claim.THEIRS, its)
        late = self._rows.filter(
            pk=row.pk,
            alert_id=row.alert_id,
            node=row.node,
            sent_at=None,
            claimed_at__lt=DatabaseNow() - TAKE_OVER_AFTER,
        )
        if late.update(node=self._node, claimed_at=DatabaseNow()):
            return Answer(alert.number, Claim.MINE, its)
        return Answer(alert.number, Claim.WANTED, alert.id)

    def _insert(self, alert: Unclaimed) -> Answer:
        try:
            with transaction.atomic(using=self._alias):
                self._rows.create(
                    key_hash=_hash(alert.key),
                    key=clean_text(alert.key, 300),
                    alert_id=UUID(alert.id),
                    kind=clean_text(alert.kind, 40),
                    text=clean_text(alert.text),
                    node=self._node,
                    claimed_at=DatabaseNow(),
                )
        except IntegrityError:
            return Answer(alert.number, Claim.WANTED, alert.id)  # another node was first; its row is read next time
        return Answer(alert.number, Claim.MINE, alert.id)

    def _end(self, alert: Unclaimed) -> Answer:
        """Delete the row; of all nodes that try, one has deleted it, and sends the resolution."""
        row = self._rows.filter(pk=_hash(alert.key)).first()
        if row is None:
            return Answer(alert.number, Claim.GONE, alert.id)
        deleted, _ = self._rows.filter(pk=row.pk, alert_id=row.alert_id).delete()
        ended = Claim.ENDED if row.sent_at is not None else Claim.ENDED_UNSENT
        return Answer(alert.number, ended if deleted else Claim.GONE, str(row.alert_id))

    def _tidy(self) -> None:
        self._rows.filter(claimed_at__lt=DatabaseNow() - KEPT).delete()
        if (above := self._rows.count() - MOST_ROWS) > 0:
            oldest = self._rows.order_by("claimed_at").values_list("pk", flat=True)[:above]
            self._rows.filter(pk__in=list(oldest)).delete()


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

"""Operators' orders from the database: each is taken once and answered in its row; the command's are rows too."""

import uuid
from collections.abc import Sequence

from django.db.models import Q
from django.db.models.functions import Now

from workerd.models import Operation
from workerd.wire.messages import Message, OperationTaken

from .journal import Entry
from .node import NodeRow
from .sanitize import clean_for, clean_text

AT_ONCE = 100


class OpenOrders:
    """The open orders for this node, by the database's clock."""

    def __init__(self, alias: str, node: NodeRow) -> None:
        self._alias = alias
        self._node = node
        self._is_first = True

    def claim(self) -> list[Message]:
        """Take what is open and not expired; of several daemons one gets it. One query where there is nothing.

        The first time also what was taken here and has no answer: a ledger before us may have been killed in between.
        The daemon passes over what it knows.
        """
        rows = Operation.objects.using(self._alias)
        valid = rows.filter(expires__gt=Now()).order_by("requested", "pk")
        unanswered = list(valid.filter(node_id=self._node.pk, result="").exclude(taken=None)) if self._is_first else []
        open_now = valid.filter(Q(node_id=None) | Q(node_id=self._node.pk), taken=None)[:AT_ONCE]
        taken = [
            one for one in open_now if rows.filter(pk=one.pk, taken=None).update(taken=Now(), node_id=self._node.pk)
        ]
        self._is_first = False
        return [
            OperationTaken(str(one.pk), one.verb, one.slot or one.job_name, one.requested_by)
            for one in (*unanswered, *taken)
        ]

    def write(self, entries: Sequence[Entry]) -> None:
        """Write results into rows that are there, and rows for what was ordered by the command."""
        for entry in entries:
            row = entry.row or {}
            if "verb" in row:
                columns = [field for field in Operation._meta.concrete_fields if field.attname in row]
                values = {field.attname: clean_for(field, row[field.attname]) for field in columns}
                Operation.objects.using(self._alias).get_or_create(pk=uuid.UUID(entry.key), defaults=values)
            else:
                result = clean_text(str(row.get("result") or ""))
                Operation.objects.using(self._alias).filter(pk=uuid.UUID(entry.key)).update(result=result)

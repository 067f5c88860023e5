"""Operators' orders that stand in the database: each is taken once, and answered in its row."""

import uuid
from collections.abc import Sequence

from django.db.models import Q

from workerd.models import Operation
from workerd.models.clock import DatabaseNow, as_utc
from workerd.wire.messages import Message, OperationTaken

from .entry import Entry
from .node import NodeRow
from .sanitize import clean_for, clean_text

AT_ONCE = 100


class OpenOrders:
    """The orders that this node may take and that have not expired, by the database's clock."""

    def __init__(self, alias: str, node: NodeRow) -> None:
        self._alias = alias
        self._node = node
        self._is_first = True

    def claim(self) -> list[Message]:
        """Take the open orders; of several daemons, one gets each. Where there are none, this is one short query.

        The first call also returns orders that this node has taken and not answered, because the ledger before this
        one may have been killed before it told the daemon. The daemon ignores those that it knows.
        """
        rows = Operation.objects.using(self._alias)
        valid = rows.filter(expires__gt=DatabaseNow()).order_by("requested", "pk")
        unanswered = list(valid.filter(node_id=self._node.pk, result="").exclude(taken=None)) if self._is_first else []
        open_now = valid.filter(Q(node_id=None) | Q(node_id=self._node.pk), taken=None)
        taken = [
            order
            for order in (open_now[:AT_ONCE] if open_now.exists() else ())
            if rows.filter(pk=order.pk, taken=None).update(taken=DatabaseNow(), node_id=self._node.pk)
        ]
        self._is_first = False
        return [
            OperationTaken(
                str(order.pk),
                order.verb,
                order.slot or order.job_name,
                order.requested_by,
                as_utc(order.requested).timestamp(),
            )
            for order in (*unanswered, *taken)
        ]

    def write(self, entries: Sequence[Entry]) -> None:
        """Write the results of orders into their rows, and a row for each order that came by the command."""
        for entry in entries:
            row, key = entry.row or {}, uuid.UUID(entry.key)
            if "verb" in row:
                columns = [field for field in Operation._meta.concrete_fields if field.attname in row]
                values = {field.attname: clean_for(field, row[field.attname]) for field in columns}
                _, is_new = Operation.objects.using(self._alias).get_or_create(pk=key, defaults=values)
                if is_new:
                    continue
            texts = {name: clean_text(str(row.get(name) or "")) for name in ("result", "public_result")}
            Operation.objects.using(self._alias).filter(pk=key).update(**texts, ok=row.get("ok"))

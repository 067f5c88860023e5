"""Wakes the ledger when a job or an operation is saved or deleted.

PostgreSQL alone can do that: a NOTIFY inside the transaction is sent at its commit. Elsewhere the ledger polls.
"""

from typing import Any

from django.db import connections
from django.db.models.signals import post_delete, post_save

CHANNEL = "workerd"
SEATS = "seats"
"""The beginning of a NOTIFY that tells that a seat of the fleet was released; "" tells that a row was saved."""


def connect() -> None:
    """Have every save and deletion of a Job or an Operation wake the ledger."""
    from .models import Job, Operation

    for model in (Job, Operation):
        for signal in (post_save, post_delete):
            signal.connect(_wake, sender=model, dispatch_uid=f"workerd.push.{model.__name__}")


def _wake(*, using: str, **_kwargs: Any) -> None:
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")

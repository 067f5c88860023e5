"""The seat of a job in a test, which nobody takes away (``TestedSeat``)."""

from collections.abc import Iterator
from contextlib import contextmanager

from workerd.child.seat import refuse_to_nest
from workerd.conf import get_settings


class TestedSeat:
    """Has a token; its transactions are refused where a child's would be, and compare nothing: there is no row."""

    def __init__(self, token: int) -> None:
        self.token: int | None = token

    def check(self) -> None:
        """Do nothing: the seat is held."""

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """Run the block in a transaction of its own."""
        from django.db import transaction

        alias = get_settings().database
        refuse_to_nest(alias)
        with transaction.atomic(using=alias):
            yield

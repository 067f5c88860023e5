"""What a test leaves behind that ran a part of the ledger in this process."""

from collections.abc import Iterator

import pytest
from django.db import connections
from django.db.backends.signals import connection_created


@pytest.fixture(autouse=True)
def forget_the_ledger() -> Iterator[None]:
    """Give connections their own settings and time-outs back: the ledger's are meant for a process of its own."""
    yield
    if connection_created.disconnect(dispatch_uid="workerd.ledger"):
        for connection in connections.all(initialized_only=True):
            connection.settings_dict = connections.settings[connection.alias]
            connection.close()

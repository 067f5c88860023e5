"""What wakes the ledger: a saved row, on PostgreSQL, on either driver."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.db import connection, transaction

from tests.harness.backends.server import Address
from tests.harness.pgbouncer import PgBouncer, find_pgbouncer
from tests.harness.pooler import Pooler
from workerd.ledger.push import Push
from workerd.models import Job, Operation
from workerd.push import CHANNEL, SEATS
from workerd.wire.messages import Message, PushFound

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent() -> list[Message]:
    return []


@pytest.fixture
def push(sent: list[Message]) -> Iterator[Push]:
    push = Push(connection, sent.append)
    push.listen()
    yield push
    connection.close()


@pytest.mark.backends("postgres")
def test_a_notify_to_itself_shows_that_push_works(push: Push, sent: list[Message]) -> None:
    assert sent == [PushFound(works=True)]
    assert push.descriptor is not None
    assert not push.heard()


@pytest.mark.backends("postgres")
def test_a_saved_a_deleted_and_an_ordered_row_wake(push: Push) -> None:
    job = Job.objects.create(name="mail", target="shop.jobs.price_feed")
    assert push.heard()
    assert not push.heard()

    job.delete()
    assert push.heard()

    Operation.objects.create(verb="restart", job_name="mail")
    assert push.heard()


@pytest.mark.backends("postgres")
def test_a_released_seat_wakes_the_keeper_and_not_the_poll(sent: list[Message]) -> None:
    seats: list[str] = []
    push = Push(connection, sent.append, seats.append)
    push.listen()
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}, '{SEATS} 7 0 3'")

    assert not push.heard()
    assert seats == [f"{SEATS} 7 0 3"]
    connection.close()


@pytest.mark.backends("postgres")
def test_a_row_wakes_when_it_is_committed_and_not_before(push: Push) -> None:
    with transaction.atomic():
        Job.objects.create(name="mail", target="shop.jobs.price_feed")
        assert not push.heard()

    assert push.heard()


@pytest.mark.backends("postgres")
def test_a_new_connection_is_listened_at_too(push: Push, sent: list[Message]) -> None:
    connection.close()
    assert push.descriptor is None

    push.listen()
    Job.objects.create(name="mail", target="shop.jobs.price_feed")

    assert push.heard()
    assert sent == [PushFound(works=True)]


@contextmanager
def simulated(host: str, port: int) -> Iterator[int]:
    with Pooler(host, port) as pooler:
        yield pooler.port


@contextmanager
def pgbouncer(host: str, port: int) -> Iterator[int]:
    if find_pgbouncer() is None:
        pytest.skip("PgBouncer is not installed")
    pooler = PgBouncer(Address(host, port, str(connection.settings_dict["USER"])))
    pooler.start()
    try:
        yield pooler.address.port
    finally:
        pooler.close()


@pytest.mark.backends("postgres")
@pytest.mark.parametrize("pooler", [simulated, pgbouncer])
def test_a_pooler_that_lends_sessions_is_found_not_to_push(
    pooler: Callable[[str, int], AbstractContextManager[int]], sent: list[Message]
) -> None:
    """It takes LISTEN without an error, and a NOTIFY of the same session to itself even arrives."""
    with pooler(connection.settings_dict["HOST"], int(connection.settings_dict["PORT"])) as port:
        pooled = connection.copy()
        pooled.settings_dict = {**pooled.settings_dict, "HOST": "127.0.0.1", "PORT": port}
        push = Push(pooled, sent.append)
        push.listen()
        Job.objects.create(name="mail", target="shop.jobs.price_feed")
        heard = [push.heard()]
        with pooled.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
        heard.append(push.heard())
        pooled.close()

    assert heard == [False, True]
    assert sent == [PushFound(works=False)]


@pytest.mark.backends("sqlite", "mysql")
def test_other_databases_say_that_they_do_not_push(push: Push, sent: list[Message]) -> None:
    Job.objects.create(name="mail", target="shop.jobs.price_feed")

    assert sent == [PushFound(works=False)]
    assert push.descriptor is None
    assert not push.heard()

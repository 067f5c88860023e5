"""The job rows are read when they have changed, whoever changed them, and asked about otherwise."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from tests.harness.waiting import eventually
from workerd.ledger.job_reading import FULL_SECONDS, JobReading
from workerd.ledger.row_marks import SETTLED_S, ask, has_question
from workerd.ledger.rows import COLUMNS
from workerd.models import Job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NAME, PROCESSES = COLUMNS.index("name"), COLUMNS.index("processes")


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reading(clock: Clock) -> JobReading:
    return JobReading("default", clock)


@pytest.fixture
def jobs() -> list[Job]:
    return [Job.objects.create(name=name, target="shop.jobs.mail") for name in ("bill", "feed", "mail")]


def told(reading: JobReading) -> dict[str, int]:
    reading.look()
    return {row[NAME]: row[PROCESSES] for row in reading.rows()}


def queries_of(reading: JobReading) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        reading.look()
    return [query["sql"] for query in queries]


def settled(reading: JobReading) -> list[str]:
    """Read until no row is read any more; return the queries of that time. MySQL has every reading read the rows."""
    if not has_question("default"):
        return queries_of(reading)

    def quiet() -> list[str]:
        queries = queries_of(reading)
        return queries if not any("kwargs" in sql for sql in queries) else []

    return eventually(quiet, SETTLED_S + 30.0, "a reading that reads no row")


def _plain_sql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workerd_job SET processes = 7 WHERE name = 'mail'")


WRITES: dict[str, tuple[Callable[[], object], dict[str, int]]] = {
    "save": (lambda: Job(**{**Job.objects.values().get(name="mail"), "processes": 7}).save(), {"mail": 7}),
    "update": (lambda: Job.objects.filter(name="mail").update(processes=7), {"mail": 7}),
    "plain SQL": (_plain_sql, {"mail": 7}),
    "bulk_create": (lambda: Job.objects.bulk_create([Job(name="new", target="shop.jobs.mail")]), {"new": 1}),
}


@pytest.mark.parametrize("write", WRITES)
def test_the_next_reading_has_what_was_written(reading: JobReading, jobs: list[Job], write: str) -> None:
    settled(reading)
    do, changed = WRITES[write]
    do()

    assert told(reading) == {"bill": 1, "feed": 1, "mail": 1, **changed}


def test_the_next_reading_lacks_what_was_deleted(reading: JobReading, jobs: list[Job]) -> None:
    settled(reading)
    Job.objects.filter(name="feed").delete()

    assert told(reading) == {"bill": 1, "mail": 1}


def test_a_row_in_place_of_a_deleted_one_is_found(reading: JobReading, jobs: list[Job]) -> None:
    """As many rows as before, one of them with the key of the old one."""
    settled(reading)
    Job.objects.filter(name="feed").delete()
    Job.objects.create(pk=jobs[1].pk, name="post", target="shop.jobs.mail")

    assert told(reading) == {"bill": 1, "mail": 1, "post": 1}


def test_every_change_of_one_second_is_found(reading: JobReading, jobs: list[Job]) -> None:
    """MariaDB tells seconds."""
    settled(reading)
    found = []
    for processes in range(2, 12):
        Job.objects.filter(name="mail").update(processes=processes)
        found.append(told(reading)["mail"])

    assert found == list(range(2, 12))


def test_what_is_rolled_back_changes_nothing(reading: JobReading, jobs: list[Job]) -> None:
    connection.set_autocommit(False)
    try:
        Job.objects.update(processes=5)
        connection.rollback()
    finally:
        connection.set_autocommit(True)

    assert set(told(reading).values()) == {1}


def test_a_quiet_reading_is_one_query_that_reads_no_row(reading: JobReading, jobs: list[Job]) -> None:
    queries = settled(reading)

    assert len(queries) == 1
    assert ("kwargs" in queries[0]) is not has_question("default")


@pytest.mark.backends("postgres")
def test_of_many_rows_those_that_changed_are_read(reading: JobReading, jobs: list[Job]) -> None:
    reading.look()
    Job.objects.filter(name="mail").update(processes=2)
    _question, _versions, rows = queries_of(reading)

    assert f"IN ({jobs[2].pk})" in rows


def test_another_session_reads_all(reading: JobReading, jobs: list[Job]) -> None:
    """It may have come to another server, whose rows are others under the same mark."""
    settled(reading)
    connection.close()

    assert any("kwargs" in sql and " IN (" not in sql for sql in queries_of(reading))


def test_all_rows_are_read_after_a_minute_whatever_the_database_says(
    reading: JobReading, jobs: list[Job], clock: Clock
) -> None:
    settled(reading)
    clock.now += FULL_SECONDS

    assert any("kwargs" in sql and " IN (" not in sql for sql in queries_of(reading))


def test_within_a_transaction_there_is_no_mark() -> None:
    connection.set_autocommit(False)
    try:
        connection.in_atomic_block = True
        mark = ask("default")
    finally:
        connection.in_atomic_block = False
        connection.rollback()
        connection.set_autocommit(True)

    assert mark is None


@pytest.mark.backends("mysql")
def test_mysql_that_is_not_mariadb_has_no_mark(monkeypatch: pytest.MonkeyPatch, jobs: list[Job]) -> None:
    """It keeps for a day what it once told of a table; so its rows are read, and by many nodes less often."""
    monkeypatch.setitem(vars(connections["default"]), "mysql_is_mariadb", False)  # where Django keeps what it asked

    assert ask("default") is None
    assert not has_question("default")

"""The job rows are read when they have changed, whoever changed them, and asked about otherwise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from workerd.ledger.job_reading import FULL_SECONDS, JobReading
from workerd.ledger.row_marks import ask
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


def plainly(*statements: str) -> Callable[[], object]:
    """Return a write in plain SQL."""

    def write() -> None:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    return write


def _truncate() -> None:
    """SQLite calls a DELETE so that has no condition."""
    statements = {
        "sqlite": ["DELETE FROM workerd_job"],
        "postgresql": ["TRUNCATE workerd_job CASCADE"],
        "mysql": ["SET foreign_key_checks = 0", "TRUNCATE workerd_job", "SET foreign_key_checks = 1"],
    }
    plainly(*statements[connection.vendor])()


def _bulk_update() -> None:
    jobs = list(Job.objects.all())
    for job in jobs:
        job.processes += 6
    Job.objects.bulk_update(jobs, ["processes"])


@contextmanager
def another_session() -> Iterator[Callable[[str], object]]:
    """Yield what runs a statement in a transaction of another session; the end of the block commits it."""
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            yield cursor.execute
        other.commit()
    finally:
        other.close()


BEFORE = {"bill": 1, "feed": 1, "mail": 1}
SEVEN = "UPDATE workerd_job SET processes = 7 WHERE name = 'mail'"
WITHOUT_FEED = {"bill": 1, "mail": 1}
WRITES: dict[str, tuple[Callable[[], object], dict[str, int]]] = {
    "save": (lambda: Job(**{**Job.objects.values().get(name="mail"), "processes": 7}).save(), {**BEFORE, "mail": 7}),
    "update": (lambda: Job.objects.filter(name="mail").update(processes=7), {**BEFORE, "mail": 7}),
    "update of all": (lambda: Job.objects.update(processes=7), {"bill": 7, "feed": 7, "mail": 7}),
    "bulk_update": (_bulk_update, {"bill": 7, "feed": 7, "mail": 7}),
    "bulk_create": (lambda: Job.objects.bulk_create([Job(name="new", target="shop.jobs.mail")]), {**BEFORE, "new": 1}),
    "delete": (lambda: Job.objects.get(name="feed").delete(), WITHOUT_FEED),
    "delete of a queryset": (lambda: Job.objects.filter(name="feed").delete(), WITHOUT_FEED),
    "delete of all": (lambda: Job.objects.all().delete(), {}),
    "plain UPDATE": (plainly(SEVEN), {**BEFORE, "mail": 7}),
    "two plain UPDATEs": (plainly(SEVEN.replace("7", "6"), SEVEN), {**BEFORE, "mail": 7}),
    "plain DELETE": (plainly("DELETE FROM workerd_job WHERE name = 'feed'"), WITHOUT_FEED),
    "plain DELETE of all": (plainly("DELETE FROM workerd_job"), {}),
    "a key that changes": (plainly("UPDATE workerd_job SET id = id + 1000, processes = 2"), dict.fromkeys(BEFORE, 2)),
    "TRUNCATE": (_truncate, {}),
}


@pytest.fixture
def settled(reading: JobReading, jobs: list[Job]) -> JobReading:
    """Return a reading that has the rows, and finds nothing new."""
    reading.look()

    assert not reading.look()
    return reading


@pytest.mark.parametrize("write", WRITES)
def test_the_next_reading_has_what_was_written(settled: JobReading, write: str) -> None:
    do, expected = WRITES[write]
    do()

    assert settled.look()
    assert {row[NAME]: row[PROCESSES] for row in settled.rows()} == expected


@pytest.mark.parametrize("write", WRITES)
def test_what_was_written_is_found_once(settled: JobReading, write: str) -> None:
    do, _ = WRITES[write]
    do()
    settled.look()

    assert not settled.look()


def test_a_row_in_place_of_a_deleted_one_is_found(settled: JobReading, jobs: list[Job]) -> None:
    """As many rows as before, one of them with the key of the old one."""
    Job.objects.filter(name="feed").delete()
    Job.objects.create(pk=jobs[1].pk, name="post", target="shop.jobs.mail")

    assert told(settled) == {"bill": 1, "mail": 1, "post": 1}


def test_each_of_many_changes_in_a_row_is_found(settled: JobReading) -> None:
    found = []
    for processes in range(2, 12):
        Job.objects.filter(name="mail").update(processes=processes)
        found.append(told(settled)["mail"])

    assert found == list(range(2, 12))


def test_what_another_session_writes_is_found_once_it_is_committed(settled: JobReading) -> None:
    with another_session() as execute:
        execute(SEVEN)
        assert not settled.look()

    assert told(settled) == {**BEFORE, "mail": 7}


@pytest.mark.backends("postgres-psycopg2", "postgres-psycopg", "mysql-mysqlclient", "mysql-pymysql")
def test_a_transaction_is_found_that_ends_after_one_that_began_with_it(settled: JobReading) -> None:
    """What tells of a change must not be a moment that both have."""
    with another_session() as late, another_session() as later:
        for execute in (late, later):
            execute("SELECT COUNT(*) FROM workerd_job")
        late(SEVEN)
        later(SEVEN.replace("mail", "bill"))
        Job.objects.filter(name="feed").update(processes=7)
        assert told(settled) == {**BEFORE, "feed": 7}
    assert told(settled) == dict.fromkeys(BEFORE, 7)


def test_what_is_rolled_back_changes_nothing(reading: JobReading, jobs: list[Job]) -> None:
    connection.set_autocommit(False)
    try:
        Job.objects.update(processes=5)
        connection.rollback()
    finally:
        connection.set_autocommit(True)

    assert set(told(reading).values()) == {1}


def test_a_quiet_reading_is_one_query_that_reads_no_row(settled: JobReading) -> None:
    queries = queries_of(settled)

    assert len(queries) == 1
    assert "kwargs" not in queries[0]


@pytest.mark.backends("postgres-psycopg2", "postgres-psycopg", "mysql-mysqlclient", "mysql-pymysql")
def test_of_many_rows_those_that_changed_are_read(settled: JobReading, jobs: list[Job]) -> None:
    Job.objects.filter(name="mail").update(processes=2)
    _question, _versions, rows = queries_of(settled)

    assert f"IN ({jobs[2].pk})" in rows


def test_another_session_reads_all(settled: JobReading) -> None:
    """It may have come to another server, whose rows are others under the same mark."""
    connection.close()

    assert any("kwargs" in sql and " IN (" not in sql for sql in queries_of(settled))


def test_all_rows_are_read_after_a_minute_whatever_the_database_says(settled: JobReading, clock: Clock) -> None:
    clock.now += FULL_SECONDS

    assert any("kwargs" in sql and " IN (" not in sql for sql in queries_of(settled))


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

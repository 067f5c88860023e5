"""Errors of the real drivers, and what the ledger takes them for."""

import re

import pytest
from django.db import Error, OperationalError, connection

from tests.harness.backends.backend import Databases
from workerd.forksafe.db_errors import DatabaseFault, classify
from workerd.ledger.availability import Availability, describe
from workerd.models import Node
from workerd.wire.messages import DatabaseLost

pytestmark = pytest.mark.django_db(transaction=True)


def error_of(sql: str) -> Error:
    with pytest.raises(Error) as caught, connection.cursor() as cursor:
        cursor.execute(sql)
    return caught.value


COLUMNS = "name, host, workerd_version, generation, record_version"
TWICE = f"INSERT INTO workerd_node ({COLUMNS}) SELECT {COLUMNS} FROM workerd_node"


@pytest.mark.parametrize(
    ("sql", "trouble"),
    [
        ("SELECT 1 FROM workerd_nothing", DatabaseFault.UNMIGRATED),
        ("SELECT colour FROM workerd_job", DatabaseFault.UNMIGRATED),
        ("INSERT INTO workerd_node (colour) VALUES (1)", DatabaseFault.UNMIGRATED),
        ("UPDATE workerd_node SET name = NULL", DatabaseFault.POISON),
        (TWICE, DatabaseFault.POISON),
    ],
    ids=["table", "column", "column written", "null", "duplicate"],
)
def test_an_error_means_what_its_code_says(sql: str, trouble: DatabaseFault) -> None:
    Node.objects.create(name="shop", host="host-1")

    assert classify(error_of(sql)) is trouble


def test_a_query_that_is_wrong_whatever_the_record_is_no_records_fault() -> None:
    assert classify(error_of("SELEKT 1")) in (DatabaseFault.FAULT, DatabaseFault.UNREACHABLE)


@pytest.mark.backends("postgres", "mysql")
def test_a_lock_in_the_way_is_no_outage() -> None:
    other = connection.copy()
    wait = "SET lock_timeout = '50ms'" if connection.vendor == "postgresql" else "SET innodb_lock_wait_timeout = 1"
    Node.objects.create(name="shop", host="host-1")
    try:
        with other.cursor() as holder, connection.cursor() as cursor:
            holder.execute("BEGIN")
            holder.execute("UPDATE workerd_node SET generation = 5")
            cursor.execute(wait)
            with pytest.raises(OperationalError) as caught:
                cursor.execute("UPDATE workerd_node SET generation = 6")
            holder.execute("ROLLBACK")
    finally:
        other.close()
        connection.close()

    assert classify(caught.value) is DatabaseFault.BUSY


@pytest.mark.backends("postgres")
def test_a_database_that_may_only_be_read_is_said_so() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    error = error_of("UPDATE workerd_node SET generation = 6")
    connection.close()

    assert classify(error) is DatabaseFault.READ_ONLY
    assert "wait for the failover" in describe(connection, classify(error), error)


@pytest.mark.backends("postgres")
def test_a_server_that_answers_by_a_refusal_is_not_called_silent(databases: Databases) -> None:
    databases.create("closed")
    databases.execute("ALTER DATABASE closed ALLOW_CONNECTIONS false")
    other = connection.copy()
    other.settings_dict = {**other.settings_dict, "NAME": "closed"}
    try:
        with pytest.raises(OperationalError) as caught:
            other.ensure_connection()
    finally:
        databases.drop("closed")

    assert classify(caught.value) is DatabaseFault.OFFLINE
    assert "have it put online" in describe(connection, classify(caught.value), caught.value)


def test_a_refusal_in_words_that_are_not_known_is_one_too() -> None:
    """A pooler has words of its own."""
    error = OperationalError('connection to server at "db", port 6432 failed: FATAL:  server login has been failing')

    assert classify(error) is DatabaseFault.REFUSED


@pytest.mark.parametrize("trouble", DatabaseFault)
def test_each_trouble_is_one_sentence_with_the_alias_and_what_was_said(trouble: DatabaseFault) -> None:
    sentence = describe(connection, trouble, OperationalError("first line\nLINE 2: more"))

    assert sentence.startswith('database "default" (')
    assert "(first line)" in sentence
    assert "\n" not in sentence
    assert re.search(r"\): \w[^;]+$", sentence), "no remedy"
    assert re.fullmatch(r'database "default" \w[^(;]+: \w[^;]+', sentence.public), "words that are not workerd's own"


@pytest.mark.backends("postgres", "mysql")
def test_the_newest_reason_of_an_outage_is_told_once_with_a_remedy_of_its_own() -> None:
    """A server that was down and is up again may refuse for another reason: the first one would mislead."""
    other, sent = connection.copy(), list[DatabaseLost]()
    availability = Availability(other, sent.append, 1.0)  # type: ignore[arg-type]
    for settings in ({"HOST": "127.0.0.1", "PORT": "1"}, {"NAME": "nowhere"}, {"NAME": "nowhere"}):
        other.settings_dict = {**connection.settings_dict, **settings}
        with pytest.raises(Error) as caught:
            other.ensure_connection()
        availability.failed(caught.value)

    first, second = [lost.reason for lost in sent]
    assert "does not answer" in first
    assert first.endswith("): start it or put its settings right")
    assert "does not exist at this server" in second
    assert second.endswith("): make it, or put its name right in the settings")

"""What each code of a server means, raised by the server itself through each driver: for the ledger and for jobs."""

from pathlib import Path
from unittest.mock import patch

import pytest
from django.db import Error, connection

from workerd.forksafe import sessions
from workerd.forksafe.db_errors import DatabaseFault, classify
from workerd.forksafe.unreachable import Outage, judge
from workerd.ledger.availability import describe

pytestmark = pytest.mark.django_db(transaction=True)

READ_ONLY = "The MySQL server is running with the --read-only option so it cannot execute this statement"
MYSQL = {
    DatabaseFault.READ_ONLY: (1290, 1792, 1836, 3100, 3101),
    DatabaseFault.FULL: (1021, 1026, 1030, 1037, 1041, 1114),
    DatabaseFault.CROWDED: (1040, 1135, 1203, 1226),
    DatabaseFault.OFFLINE: (1053, 3032),
    DatabaseFault.LOGIN: (1044, 1045, 1129, 1130, 1251, 1698, 1820, 1862, 3118, 3159),
    DatabaseFault.MISSING: (1049,),
    DatabaseFault.FORBIDDEN: (1142, 1143, 1227),
    DatabaseFault.BUSY: (1205, 1213, 3572),
    DatabaseFault.UNMIGRATED: (1054, 1146),
    DatabaseFault.POISON: (1048, 1062, 1264, 1292, 1364, 1366, 1406),
    DatabaseFault.UNREACHABLE: (1927, 3169, 4031),
}
POSTGRESQL = {
    DatabaseFault.READ_ONLY: ("25006",),
    DatabaseFault.FULL: ("53100", "53200", "58030"),
    DatabaseFault.CROWDED: ("53300",),
    DatabaseFault.OFFLINE: ("57P03",),
    DatabaseFault.LOGIN: ("28000", "28P01"),
    DatabaseFault.MISSING: ("3D000", "57P04"),
    DatabaseFault.FORBIDDEN: ("42501",),
    DatabaseFault.BUSY: ("40001", "40P01", "55P03"),
    DatabaseFault.UNMIGRATED: ("42P01", "42703", "3F000"),
    DatabaseFault.POISON: ("22001", "22P02", "23502", "23505", "23514"),
    DatabaseFault.UNREACHABLE: ("57P01", "57P02", "25P03", "08006"),
}


def raised(statement: str) -> Error:
    with pytest.raises(Error) as caught, connection.cursor() as cursor:
        cursor.execute(statement)
    return caught.value


def signal(number: int, text: str) -> Error:
    return raised(f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = '{text}'")


def of_server(code: object) -> Error:
    """Have the server itself raise an error of the code."""
    if connection.vendor == "mysql":
        return signal(int(str(code)), READ_ONLY if code == 1290 else "as told")
    return raised(f"DO $$ BEGIN RAISE EXCEPTION 'as told' USING ERRCODE = '{code}'; END $$")


@pytest.mark.backends("mysql")
@pytest.mark.parametrize(("fault", "number"), [(fault, number) for fault in MYSQL for number in MYSQL[fault]])
def test_each_number_of_mysql_is_known(fault: DatabaseFault, number: int) -> None:
    error = of_server(number)

    assert classify(error) is fault
    assert ("start it" in describe(connection, fault, error)) == (fault is DatabaseFault.UNREACHABLE)


@pytest.mark.backends("postgres")
@pytest.mark.parametrize(("fault", "state"), [(fault, state) for fault in POSTGRESQL for state in POSTGRESQL[fault]])
def test_each_state_of_postgresql_is_known(fault: DatabaseFault, state: str) -> None:
    error = of_server(state)

    assert classify(error) is fault
    assert ("start it" in describe(connection, fault, error)) == (fault is DatabaseFault.UNREACHABLE)


@pytest.mark.backends("mysql")
def test_another_option_that_forbids_a_statement_is_no_outage() -> None:
    """One number stands for all such options."""
    error = signal(1290, "The MySQL server is running with the --secure-file-priv option")

    assert classify(error) is DatabaseFault.FAULT


@pytest.mark.backends("postgres", "mysql")
@pytest.mark.parametrize("fault", sorted({*MYSQL, *POSTGRESQL}, key=str))
def test_a_job_that_it_ends_counts_as_failed_unless_the_server_alone_can_raise_it(fault: DatabaseFault) -> None:
    """The server is well when it is asked: a job's own code and settings cause all but these."""
    error = of_server((MYSQL if connection.vendor == "mysql" else POSTGRESQL)[fault][-1])
    connection.errors_occurred = True
    with patch.object(sessions, "wrappers", lambda: [connection]):
        outage = judge(error)

    if fault in {DatabaseFault.FULL, DatabaseFault.CROWDED}:
        assert outage == Outage("default", fault)
    elif fault is DatabaseFault.READ_ONLY and connection.vendor == "mysql":
        assert outage == Outage("default", None), "a failover that is over has cost a session"
    else:
        assert outage is None


SQLITE = {
    "the session's own setting": ("PRAGMA query_only = on", DatabaseFault.READ_ONLY, None),
    "no room": ("PRAGMA max_page_count = 1", DatabaseFault.FULL, Outage("default", DatabaseFault.FULL)),
}


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize(("setting", "fault", "cause"), SQLITE.values(), ids=SQLITE)
def test_a_file_that_takes_no_writes_is_told_by_its_reason(
    setting: str, fault: DatabaseFault, cause: Outage | None, tmp_path: Path
) -> None:
    """Of a new file: one that other tests have used may have free pages, which no limit takes away."""
    own = connection.copy()
    own.settings_dict["NAME"] = tmp_path / "new.sqlite3"
    try:
        with own.cursor() as cursor:
            cursor.execute(setting)
            with pytest.raises(Error) as caught:
                cursor.execute("CREATE TABLE large AS SELECT zeroblob(1000000)")
        with patch.object(sessions, "wrappers", lambda: [own]):
            outage = judge(caught.value)
    finally:
        own.close()

    assert classify(caught.value) is fault
    assert outage == cause

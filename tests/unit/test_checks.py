"""The system checks: an id for each problem, and no connection opened."""

from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connections
from django.test import override_settings

from workerd.checks import SETTINGS_NUMBERS, check_databases, check_settings
from workerd.setting_keys import KEYS

SQLITE = "django.db.backends.sqlite3"
IMMEDIATE = {"transaction_mode": "IMMEDIATE", "timeout": 20}


def settings_ids(values: Any) -> list[str | None]:
    with override_settings(WORKERD=values):
        return [message.id for message in check_settings()]


def database_ids(**databases: dict[str, Any]) -> list[str | None]:
    from django.conf import settings

    kept, settings.DATABASES = settings.DATABASES, databases
    try:
        return [message.id for message in check_databases()]
    finally:
        settings.DATABASES = kept


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], "workerd.E001"),
        ({"NAMES": "x"}, "workerd.E001"),
        ({"NAME": ""}, "workerd.E002"),
        ({"STATE_DIR": "relative"}, "workerd.E003"),
        ({"STATE_DIR": "/tmp/state"}, "workerd.W003"),
        ({"DATABASE": "nowhere"}, "workerd.E004"),
        ({"POLL_SECONDS": 0}, "workerd.E005"),
        ({"PRELOAD": "shop.pricing"}, "workerd.E006"),
        ({"TARGETS": "shop.tasks.*"}, "workerd.E007"),
        ({"TARGETS": ["*"]}, "workerd.W007"),
        ({"COMMANDS": "db_worker"}, "workerd.E008"),
        ({"BEFORE_FORK": "os.getpid"}, "workerd.E009"),
        ({"BEFORE_FORK": ["nowhere.at_all"]}, "workerd.E009"),
        ({"STRICT_FORK": None}, "workerd.E010"),
        ({"CONN_MAX_AGE": -1}, "workerd.E011"),
        ({"LOG_FORMAT": "xml"}, "workerd.E012"),
        ({"HTTP_BIND": "9187"}, "workerd.E013"),
        ({"RUN_RETENTION": "soon"}, "workerd.E014"),
        ({"SPOOL_MAX": 1}, "workerd.E015"),
        ({"MAX_UNAVAILABLE": 0}, "workerd.E016"),
        ({"SECRET_KWARGS": "*"}, "workerd.E017"),
        ({"EXIT_WHEN_PARKED": 1}, "workerd.E018"),
        ({"LOG_LEVEL": "loud"}, "workerd.E019"),
    ],
)
def test_each_settings_problem_has_its_id(values: Any, expected: str) -> None:
    assert settings_ids(values) == [expected]


def test_every_key_has_a_number_of_its_own() -> None:
    assert list(SETTINGS_NUMBERS) == ["WORKERD", *KEYS]
    assert list(SETTINGS_NUMBERS.values()) == list(range(1, len(KEYS) + 2))


def test_a_check_carries_the_remedy_as_its_hint() -> None:
    with override_settings(WORKERD={"NAM": "x"}):
        [message] = check_settings()

    assert (message.msg, message.hint) == ("WORKERD has no key 'NAM'.", 'Did you mean "NAME"?')


@pytest.mark.parametrize("name", [":memory:", "file::memory:?cache=shared", "file:x?mode=memory&cache=shared"])
def test_sqlite_in_memory_is_an_error_on_any_alias(name: str) -> None:
    good = {"ENGINE": SQLITE, "NAME": "/srv/shop.sqlite3", "OPTIONS": IMMEDIATE}

    assert database_ids(default=good, second={"ENGINE": SQLITE, "NAME": name}) == ["workerd.E101"]


def test_djangos_own_test_database_in_memory_is_let_be() -> None:
    name = "file:memorydb_default?mode=memory&cache=shared"

    assert database_ids(default={"ENGINE": SQLITE, "NAME": name, "OPTIONS": IMMEDIATE}) == []


@pytest.mark.parametrize("options", [{}, {"transaction_mode": None}, {"transaction_mode": "DEFERRED"}])
def test_sqlite_without_immediate_transactions_is_warned_of(options: dict[str, Any]) -> None:
    assert database_ids(default={"ENGINE": SQLITE, "NAME": "/srv/x", "OPTIONS": options}) == ["workerd.W102"]


@pytest.mark.parametrize("mode", ["IMMEDIATE", "immediate", "EXCLUSIVE"])
def test_sqlite_with_immediate_transactions_is_fine(mode: str) -> None:
    database = {"ENGINE": SQLITE, "NAME": "/srv/x", "OPTIONS": {"transaction_mode": mode}}

    assert database_ids(default=database) == []


def test_a_database_server_is_no_business_of_the_sqlite_checks() -> None:
    assert database_ids(default={"ENGINE": "django.db.backends.postgresql", "NAME": "shop"}) == []


def test_django_runs_our_checks_and_opens_no_connection() -> None:
    before = [connection.connection for connection in connections.all()]

    with override_settings(WORKERD={"NAME": ""}):
        ids = [message.id for message in run_checks(databases=[])]  # Django's own would ask SQLite about JSON

    assert ids.count("workerd.E002") == 1
    assert [connection.connection for connection in connections.all()] == before

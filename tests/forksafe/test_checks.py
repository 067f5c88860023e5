"""The system checks, one test an id."""

import socket
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.db import connection
from django.test import override_settings

from tests.harness.backends.backend import Backend
from workerd.checks import check_databases
from workerd.forksafe.checks import check_connections, check_servers
from workerd.models import Job

SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/shop.sqlite3"}
POSTGRES = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"}


def _connections(**databases: dict[str, Any]) -> list[CheckMessage]:
    with override_settings(DATABASES=databases):
        return [*check_databases(), *check_connections()]


def _ids(messages: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.backends("sqlite")
@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ({**SQLITE, "NAME": ":memory:"}, ["workerd.E101"]),
        (SQLITE, ["workerd.W102"]),
        ({**SQLITE, "OPTIONS": {"transaction_mode": "IMMEDIATE"}}, []),
        ({**POSTGRES, "OPTIONS": {"pool": True}}, ["workerd.W103"]),
        ({**POSTGRES, "AUTOCOMMIT": False}, ["workerd.W104"]),
        (POSTGRES, []),
    ],
)
def test_connection_settings_are_checked(database: dict[str, Any], expected: list[str]) -> None:
    assert _ids(_connections(default=database)) == expected


@pytest.mark.parametrize("deploy", [True, False])
@pytest.mark.django_db
def test_a_server_that_the_load_has_connected_to_is_named_before_a_deployment(deploy: bool) -> None:
    """And not the databases of Django's own connections."""
    connection.ensure_connection()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with socket.create_connection(server.getsockname()), socket.create_connection(server.getsockname()):
            found = run_checks(tags=["workerd"], include_deployment_checks=deploy)

    messages = [message for message in found if message.id == "workerd.W107"]
    assert len([message for message in messages if f"is connected to {address}: " in message.msg]) == deploy
    port = connection.settings_dict["PORT"]
    assert not any(f":{port}: " in message.msg for message in messages if port)


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.backends("sqlite")
def test_a_pool_is_reported_with_its_sizes() -> None:
    [message] = _connections(default={**POSTGRES, "OPTIONS": {"pool": {"min_size": 2, "max_size": 10}}})

    assert "each slot takes 2 to 10 sessions" in message.msg


@pytest.mark.django_db
@pytest.mark.backends("mysql")
def test_a_wait_timeout_below_the_longest_wait_is_reported() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@global.wait_timeout")
        timeout = cursor.fetchone()[0]
    Job.objects.create(name="slow", target="shop.jobs.slow", heartbeat_timeout=timeout + 1.0)

    assert "workerd.W105" in _ids(check_servers(databases=["default"]))
    Job.objects.all().delete()
    assert "workerd.W105" not in _ids(check_servers(databases=["default"]))


@pytest.mark.django_db
@pytest.mark.backends("postgres", "mysql")
def test_a_connection_limit_below_what_the_enabled_jobs_need_is_reported() -> None:
    Job.objects.create(name="many", target="shop.jobs.many", processes=999)
    Job.objects.create(name="off", target="shop.jobs.off", processes=999, enabled=False)
    [message] = check_servers(databases=["default"])

    assert message.id == "workerd.W106"
    assert "the enabled jobs need up to 1000: 999 slots × 1, and one for the ledger." in message.msg


@pytest.mark.django_db
@pytest.mark.backends("postgres", "mysql")
def test_a_server_large_enough_is_no_problem() -> None:
    Job.objects.create(name="few", target="shop.jobs.few", processes=2)

    assert check_servers(databases=["default"]) == []


class Router:
    """Sends every read elsewhere."""

    def db_for_read(self, *_: Any, **__: Any) -> str:
        raise AssertionError("no router is asked about workerd's own rows")


@pytest.mark.django_db
@pytest.mark.backends("postgres", "mysql")
def test_a_router_is_never_asked(backend: Backend) -> None:
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.Router"]):
        assert check_servers(databases=["default"]) == []

"""The servers that settings name: every form that packages take, and none that costs the process."""

from types import SimpleNamespace
from typing import Any

import pytest

from workerd.forksafe import servers, sessions


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Settings of a project of which nothing is learnt yet."""
    project = SimpleNamespace(configured=True, DATABASES={}, CACHES={})
    monkeypatch.setattr(servers, "settings", project)
    monkeypatch.setattr(servers, "_names", None)
    monkeypatch.setattr(sessions, "database_peers", set())
    return project


POSTGRES, MYSQL = "django.db.backends.postgresql", "django.db.backends.mysql"


@pytest.mark.parametrize(
    ("database", "address"),
    [
        ({"ENGINE": POSTGRES, "HOST": "127.0.0.1"}, "127.0.0.1:5432"),
        ({"ENGINE": POSTGRES, "HOST": "127.0.0.1", "PORT": "6432"}, "127.0.0.1:6432"),
        ({"ENGINE": POSTGRES, "HOST": "127.0.0.1,127.0.0.2", "PORT": "5432,5433"}, "127.0.0.2:5433"),
        ({"ENGINE": POSTGRES, "HOST": "127.0.0.1,127.0.0.2", "PORT": 6000}, "127.0.0.2:6000"),
        ({"ENGINE": POSTGRES, "OPTIONS": {"host": "::1", "port": 7000}}, "[::1]:7000"),
        ({"ENGINE": POSTGRES, "HOST": "/run/pg"}, "/run/pg/.s.PGSQL.5432"),
        ({"ENGINE": POSTGRES}, "/tmp/.s.PGSQL.5432"),
        ({"ENGINE": MYSQL}, "127.0.0.1:3306"),
        ({"ENGINE": MYSQL, "HOST": "127.0.0.3", "PORT": "3307"}, "127.0.0.3:3307"),
        ({"ENGINE": MYSQL, "HOST": "/run/my.sock"}, "/run/my.sock"),
        ({"ENGINE": MYSQL, "OPTIONS": {"unix_socket": "/run/my.sock"}}, "/run/my.sock"),
    ],
)
def test_a_database_is_known_by_its_address(settings: SimpleNamespace, database: dict[str, Any], address: str) -> None:
    settings.DATABASES = {"default": database}

    assert servers.name_of_server(address) == "the database “default”"
    assert address in sessions.database_peers


@pytest.mark.parametrize(
    ("setting", "value", "address"),
    [
        ("CELERY_BROKER_URL", "redis://127.0.0.1:6380/0", "127.0.0.1:6380"),
        ("CELERY_BROKER_URL", "amqp://user:pass@127.0.0.1//", "127.0.0.1:5672"),
        ("CELERY_BROKER_URL", ["amqp://127.0.0.1:1", "amqp://127.0.0.1:2"], "127.0.0.1:2"),
        ("CHANNEL_LAYERS", {"default": {"CONFIG": {"hosts": [("127.0.0.1", 6379)]}}}, "127.0.0.1:6379"),
        ("RQ_QUEUES", {"default": {"HOST": "127.0.0.1", "PORT": 6381, "DB": 0}}, "127.0.0.1:6381"),
        ("Q_CLUSTER", {"redis": {"host": "127.0.0.1", "port": 6382}}, "127.0.0.1:6382"),
        ("DRAMATIQ_BROKER", {"OPTIONS": {"url": "redis://127.0.0.1:6383"}}, "127.0.0.1:6383"),
        ("HUEY", {"connection": {"url": "unix:///run/redis.sock"}}, "/run/redis.sock"),
    ],
)
def test_a_broker_is_known_by_its_setting(settings: SimpleNamespace, setting: str, value: Any, address: str) -> None:
    setattr(settings, setting, value)

    assert servers.name_of_server(address) == f"the broker of {setting}"


def test_a_cache_is_known_by_its_location(settings: SimpleNamespace) -> None:
    settings.CACHES = {"pages": {"LOCATION": ["127.0.0.1:11211", "127.0.0.1:11212"]}, "local": {"LOCATION": "name"}}

    assert servers.name_of_server("127.0.0.1:11212") == "the cache “pages”"


@pytest.mark.parametrize("value", ["redis://[", "redis://host:port", object(), {"host": "h", "port": "p"}, 7, None])
def test_a_setting_of_another_form_costs_nothing(settings: SimpleNamespace, value: Any) -> None:
    settings.DATABASES = {"default": {"ENGINE": POSTGRES, "HOST": "127.0.0.1", "PORT": value}}
    settings.CELERY_BROKER_URL = value
    settings.HUEY = {"url": "redis://127.0.0.1:6384"}

    assert servers.name_of_server("127.0.0.1:6384") == "the broker of HUEY"

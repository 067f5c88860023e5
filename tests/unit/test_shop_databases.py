"""The demo project's DATABASE_URL: what each scheme becomes, and what is said of a URL that cannot be used."""

import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import pytest

from django_site.databases import DatabaseURLError, database_from_url, use_drivers, without_password

BASE = Path("/srv/shop")


def test_a_relative_sqlite_path_counts_from_the_project_and_not_from_the_working_directory() -> None:
    assert database_from_url("sqlite:///shop.sqlite3", BASE)["NAME"] == "/srv/shop/shop.sqlite3"


def test_an_absolute_sqlite_path_has_a_fourth_slash_and_may_be_quoted() -> None:
    assert database_from_url("sqlite:////var/my%20shop.sqlite3", BASE)["NAME"] == "/var/my shop.sqlite3"


def test_sqlite_writes_ahead_takes_its_lock_at_once_and_waits_for_it() -> None:
    options = database_from_url("sqlite:///shop.sqlite3", BASE)["OPTIONS"]

    assert options == {
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_postgres_url_becomes_an_entry(driver: str) -> None:
    entry = database_from_url(f"postgres+{driver}://me:p%40ss@db.local:5433/shop?sslmode=require", BASE)

    assert entry == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "shop",
        "USER": "me",
        "PASSWORD": "p@ss",
        "HOST": "db.local",
        "PORT": "5433",
        "CONN_MAX_AGE": 0,
        "OPTIONS": {"sslmode": "require"},
    }


def test_psycopg_3_has_a_pool() -> None:
    assert database_from_url("postgres+psycopg://me@db/shop?pool=1", BASE)["OPTIONS"] == {"pool": True}


def test_a_socket_directory_is_the_host() -> None:
    assert database_from_url("postgres+psycopg://me@/shop?host=/run/postgresql", BASE)["HOST"] == "/run/postgresql"


@pytest.mark.parametrize(("text", "age"), [("0", 0), ("60", 60), ("none", None)])
def test_the_age_of_connections_is_djangos(text: str, age: int | None) -> None:
    entry = database_from_url(f"mysql+pymysql://me@db/shop?conn_max_age={text}&conn_health_checks=1", BASE)

    assert (entry["CONN_MAX_AGE"], entry["CONN_HEALTH_CHECKS"]) == (age, True)


@pytest.mark.parametrize("driver", ["mysqlclient", "pymysql"])
def test_mysqls_certificates_are_one_option_to_django(driver: str) -> None:
    entry = database_from_url(f"mysql+{driver}://me@db/shop?ssl_ca=/ca.pem&ssl_key=/key.pem&connect_timeout=5", BASE)

    assert entry["OPTIONS"] == {"ssl": {"ca": "/ca.pem", "key": "/key.pem"}, "connect_timeout": 5}


@pytest.mark.parametrize(
    ("mode", "options"),
    [("REQUIRED", {"ssl": {"verify_mode": "none"}}), ("DISABLED", {"ssl_disabled": True})],
)
def test_pymysql_understands_the_ssl_modes_of_mysqlclient(mode: str, options: dict[str, Any]) -> None:
    assert database_from_url(f"mysql+pymysql://me@db/shop?ssl_mode={mode}", BASE)["OPTIONS"] == options


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (
            "postgres://me@db/shop",
            "the scheme 'postgres' names no backend and driver; known are sqlite:///shop.sqlite3",
        ),
        ("shop.sqlite3", "the scheme '' names no backend and driver"),
        ("sqlite://shop.sqlite3", "SQLite wants three slashes and a path"),
        ("sqlite:///", "SQLite wants three slashes and a path"),
        ("mysql+pymysql://me@db", "it must end in /NAME, the database's name"),
        ("mysql+pymysql://me@db/shop/items", "it must end in /NAME, the database's name"),
        ("mysql+pymysql://me@db:http/shop", "its port is not a number from 0 to 65535"),
        ("postgres+psycopg2://me@db/shop?pool=1", "pool works with postgres+psycopg:// alone"),
        (
            "postgres+psycopg2://me@db/shop?conn_max_age=long",
            "conn_max_age=long is neither a number of seconds nor none",
        ),
        ("mysql+pymysql://me@db/shop?ssl_mode=MAYBE", "ssl_mode=MAYBE is not one of DISABLED, REQUIRED"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_reason(url: str, problem: str) -> None:
    with pytest.raises(DatabaseURLError) as refusal:
        database_from_url(url, BASE)

    assert str(refusal.value).startswith(f"{url}: {problem}")


def test_no_sentence_gives_a_password_away() -> None:
    assert without_password("postgres://me:p@ss:word@db/shop") == "postgres://me:***@db/shop"
    with pytest.raises(DatabaseURLError, match=r"^mysql://me:\*\*\*@db/shop: "):
        database_from_url("mysql://me:secret@db/shop", BASE)


def test_one_process_cannot_have_two_drivers_of_one_database() -> None:
    urls = ["postgres+psycopg://db/shop", "postgres+psycopg2://db/shop"]

    with pytest.raises(DatabaseURLError, match="one process cannot have psycopg and psycopg2 both"):
        use_drivers(urls)


def test_a_driver_that_is_not_installed_is_named_with_the_extra_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "MySQLdb", None)

    with pytest.raises(
        DatabaseURLError, match=r"its driver MySQLdb is not installed, try: pip install 'django-workerd\[m"
    ):
        use_drivers(["mysql+mysqlclient://db/shop"])


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgres+psycopg2://db/shop", "psycopg2"),
        ("postgres+psycopg://db/shop", "psycopg"),
        ("mysql+pymysql://db/shop", "pymysql"),
        ("mysql+mysqlclient://db/shop", "MySQLdb"),
    ],
)
@pytest.mark.slow
def test_django_loads_the_driver_that_the_url_names_although_another_is_installed(url: str, driver: str) -> None:
    if PathFinder.find_spec(driver) is None:
        pytest.skip(f"{driver} is not installed")
    program = (
        "import sys; from django.conf import settings; from django.db import connection;"
        "from django_site.databases import *; from pathlib import Path;"
        "use_drivers(sys.argv[1:]);"
        "settings.configure(DATABASES={'default': database_from_url(sys.argv[1], Path('/'))});"
        "print(connection.Database.__name__)"
    )
    path = {"PYTHONPATH": str(Path(__file__).parents[2] / "django_site")}

    done = subprocess.run([sys.executable, "-c", program, url], env=path, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == driver

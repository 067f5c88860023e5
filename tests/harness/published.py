"""Published packages whose database backends keep connections of their own, or wrap Django's."""

from importlib.util import find_spec

import pytest

from .backends.backend import Backend

_POSTGRES, _MYSQL = ("postgres-psycopg2", "postgres-psycopg"), ("mysql-mysqlclient", "mysql-pymysql")
ENGINES: dict[str, dict[str, str]] = {
    "dj_db_conn_pool": {
        **dict.fromkeys(_POSTGRES, "dj_db_conn_pool.backends.postgresql"),
        **dict.fromkeys(_MYSQL, "dj_db_conn_pool.backends.mysql"),
    },
    "django_db_geventpool": {
        "postgres-psycopg2": "django_db_geventpool.backends.postgresql_psycopg2",
        "postgres-psycopg": "django_db_geventpool.backends.postgresql_psycopg3",
    },
    "django_prometheus": {
        **dict.fromkeys(_POSTGRES, "django_prometheus.db.backends.postgresql"),
        **dict.fromkeys(_MYSQL, "django_prometheus.db.backends.mysql"),
    },
}
"""The packages' modules, and what each has as ENGINE for a backend."""
POOLS = ("dj_db_conn_pool", "django_db_geventpool")


def without(package: str) -> pytest.MarkDecorator:
    """Return the mark that skips a test where the package is not installed."""
    return pytest.mark.skipif(find_spec(package) is None, reason=f"not installed: {package}")


def engine_of(package: str, backend: Backend) -> str:
    """Return the package's ENGINE for the backend; skips where it has none."""
    if (engine := ENGINES[package].get(backend.name)) is None:
        pytest.skip(f"{package} has nothing for {backend.name}")
    return engine

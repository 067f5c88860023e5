"""The backend under test is the one that the run is named after."""

import pytest
from django.db import connection

from tests.harness.backends.backend import Backend
from tests.harness.backends.identity import driver_in_use


@pytest.mark.django_db
def test_django_talks_by_the_driver_that_the_backend_names(backend: Backend) -> None:
    connection.ensure_connection()

    assert (connection.vendor, driver_in_use(connection.vendor).__name__) == (backend.vendor, backend.module)
    assert type(connection.connection).__module__.partition(".")[0] in (backend.module, backend.module.lower())


@pytest.mark.django_db(transaction=True)
def test_a_query_is_answered() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 + 1")

        assert cursor.fetchone() == (2,)

"""Published packages that keep connections of their own, or know things of Django's: what a fork makes of them."""

import os
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, connections

from tests.forksafe.runner import attempt, in_child, session, value_of
from workerd.forksafe import prepare_to_fork
from workerd.forksafe.audit import audit


def ask_in_children() -> dict[str, Any]:
    """Have four children, side by side, ask fifty questions each, and the parent between them."""
    mine = session()
    answers: list[Any] = []

    def ask() -> Any:
        return [session() != mine, [value_of(f"SELECT {number}") for number in range(50)] == list(range(50))]

    threads = [threading.Thread(target=lambda: answers.append(in_child(lambda: attempt(ask)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    parent = [value_of(f"SELECT {number}") for number in range(50)] == list(range(50))
    for thread in threads:
        thread.join()
    return {"children": answers, "parent": parent}


def sessions_held(forks: int = 3, pids: Sequence[int] = ()) -> Any:
    """Fork a child that forks a child, and so on; return each one's session, and how many sessions are then shared."""
    number, pids = session(), [*pids, os.getpid()]
    if forks == 0:
        return [[number], len(audit(pids, [int(connection.settings_dict["PORT"])]).shared)]
    numbers, shared = in_child(partial(sessions_held, forks - 1, pids))
    return [[number, *numbers], shared]


def prepared_again() -> dict[str, list[int]]:
    """Use the pool, prepare a fork and fork, three times."""
    parent, children = [], []
    for _ in range(3):
        parent.append(session())
        prepare_to_fork()
        children.append(in_child(session))
    return {"parent": parent, "children": children}


def engine_of_sqlalchemy() -> dict[str, Any]:
    """An engine of SQLAlchemy beside Django, to a server that the settings name."""
    from sqlalchemy import create_engine, text

    database = connection.settings_dict
    engine = create_engine(
        "postgresql+psycopg2://",
        connect_args={
            "user": database["USER"],
            "password": database["PASSWORD"],
            "host": database["HOST"],
            "port": database["PORT"],
            "dbname": database["NAME"],
        },
    )

    def ask(number: int) -> int:
        with engine.connect() as connected:
            return int(connected.execute(text(f"SELECT {number}")).scalar_one())

    ask(1)
    children = [in_child(lambda: [attempt(partial(ask, number)) for number in range(5)]) for _ in range(3)]
    return {"children": children, "parent": [ask(number) for number in range(5)]}


def tenant() -> dict[str, Any]:
    """django-tenants, which sets the search path once a session where TENANT_LIMIT_SET_CALLS is on."""
    settings.TENANT_LIMIT_SET_CALLS = True
    settings.TENANT_MODEL, settings.TENANT_DOMAIN_MODEL = "guest.Tenant", "guest.Domain"
    connections.settings["default"]["ENGINE"] = "django_tenants.postgresql_backend"
    wrapper: Any = connections["default"]
    with wrapper.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS north")
    wrapper.set_schema("north")
    value_of("SELECT 1")
    return {
        "parent": value_of("SHOW search_path"),
        "child": in_child(lambda: [wrapper.schema_name, value_of("SHOW search_path")]),
    }


def random_numbers() -> list[Any]:
    """NumPy's and Faker's generators, as each of three children of a job's parent draws from them."""
    import numpy as np
    from faker import Faker

    from workerd.child.inherited import leave_inheritance

    faker = Faker()
    np.random.random()

    def draw() -> list[float]:
        leave_inheritance()
        return [float(np.random.random()), float(faker.random.random())]

    return [in_child(draw) for _ in range(3)]

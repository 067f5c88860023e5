"""The tests' settings in a project that asks for another isolation level than the server's own."""

import os

from tests.process.settings import *  # noqa: F403
from tests.process.settings import DATABASES

LEVEL = os.environ["WORKERD_TEST_ISOLATION"]

for _database in DATABASES.values():
    if _database["ENGINE"].endswith("postgresql"):
        from django.db.backends.postgresql.psycopg_any import IsolationLevel

        _database.setdefault("OPTIONS", {})["isolation_level"] = IsolationLevel[LEVEL.replace(" ", "_").upper()]
    elif _database["ENGINE"].endswith("mysql"):
        _database.setdefault("OPTIONS", {})["isolation_level"] = LEVEL

"""The tests' settings: the demo project's, with the app whose jobs misbehave on purpose."""

from pathlib import Path

from django_site.settings import *  # noqa: F403
from django_site.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.process.bad_jobs"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # others take long, on purpose

for _alias, _database in DATABASES.items():
    if _database["ENGINE"].endswith("sqlite3"):
        # In memory, SQLite is a private copy in every process, and nothing that a daemon could use.
        _path = Path(_database["NAME"])
        _database["TEST"] = {"NAME": str(_path.with_name(f"test_{_alias}_{_path.name}"))}

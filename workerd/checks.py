"""System checks: the settings, and the databases as the settings describe them. None opens a connection."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core import checks

from .conf import Problem, find_problems
from .setting_keys import KEYS

SETTINGS_NUMBERS: Mapping[str, int] = {key: number for number, key in enumerate(("WORKERD", *KEYS), start=1)}
"""workerd.E001 is WORKERD itself, then each key has its number; a warning has the same number after a W."""

IN_MEMORY = "workerd.E101"
NOT_IMMEDIATE = "workerd.W102"


def register() -> None:
    """Register every check of workerd; called by ``AppConfig.ready``."""
    checks.register(check_settings)
    checks.register(check_databases)
    import_module("workerd.forksafe.checks")  # registers its own


def check_settings(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Report each problem of WORKERD."""
    return [_to_message(problem) for problem in find_problems()]


def check_databases(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Report SQLite databases that processes cannot share, or cannot share well."""
    messages: list[checks.CheckMessage] = []
    databases: Mapping[str, Any] = settings.DATABASES
    for alias, database in databases.items():
        if database.get("ENGINE") == "django.db.backends.sqlite3":
            messages += _sqlite_messages(alias, database)
    return messages


def _to_message(problem: Problem) -> checks.CheckMessage:
    number = SETTINGS_NUMBERS[problem.key]
    if problem.level == "warning":
        return checks.Warning(problem.message, hint=problem.remedy, id=f"workerd.W{number:03}")
    return checks.Error(problem.message, hint=problem.remedy, id=f"workerd.E{number:03}")


def _sqlite_messages(alias: str, database: Mapping[str, Any]) -> list[checks.CheckMessage]:
    if _is_in_memory(alias, str(database.get("NAME", ""))):
        message = (
            f"The database “{alias}” is SQLite in memory: each child of the daemon would see an empty one of its own."
        )
        return [checks.Error(message, hint=f'Give DATABASES["{alias}"]["NAME"] a file.', id=IN_MEMORY)]
    mode = database.get("OPTIONS", {}).get("transaction_mode") or "DEFERRED"
    if str(mode).upper() not in ("IMMEDIATE", "EXCLUSIVE"):
        message = (
            f"The database “{alias}” is SQLite with {mode} transactions: "
            "processes that write at the same time get “database is locked”."
        )
        hint = f'Set DATABASES["{alias}"]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE", "timeout": 20}}.'
        return [checks.Warning(message, hint=hint, id=NOT_IMMEDIATE)]
    return []


def _is_in_memory(alias: str, name: str) -> bool:
    """Look at the name; Django's own test database in memory is the tests' business, and never the daemon's."""
    if name == f"file:memorydb_{alias}?mode=memory&cache=shared":
        return False
    return ":memory:" in name or "mode=memory" in name

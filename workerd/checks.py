"""System checks of the settings and of the databases that they describe. No check opens a connection."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core import checks

from .conf import Problem, find_problems
from .setting_keys import KEYS

SETTINGS_NUMBERS: Mapping[str, int] = {key: number for number, key in enumerate(("WORKERD", *KEYS), start=1)}
"""The number in a check's id: 1 for WORKERD itself, then one for each key. E is an error, W a warning."""

TAG = "workerd"
"""Of our checks that open no connection: ``run_checks(tags=[TAG])`` runs none that Django may need a database for."""
IN_MEMORY = "workerd.E101"
NOT_IMMEDIATE = "workerd.W102"


def register() -> None:
    checks.register(check_settings, TAG)
    checks.register(check_databases, TAG)
    for module in ("checks", "deployment_check"):  # each registers its checks when it is imported
        import_module(f"workerd.forksafe.{module}")


def check_settings(**_kwargs: Any) -> list[checks.CheckMessage]:
    return [_to_message(problem) for problem in find_problems()]


def check_databases(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Report each SQLite database that several processes cannot share, or cannot share well."""
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
            f"The database “{alias}” is SQLite in memory: each process of a job would see an empty database of its own."
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
    if name == f"file:memorydb_{alias}?mode=memory&cache=shared":
        return False  # Django's own test database, which no daemon ever uses
    return ":memory:" in name or "mode=memory" in name

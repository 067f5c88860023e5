"""What an upgrade of the schema breaks for a release that still runs: said by running that release's statements."""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState

from .release_0_1_0 import COLUMNS, LAST_MIGRATION, Release

Rows = dict[str, list[dict[str, Any]]]


def state_of(alias: str, migration: str = LAST_MIGRATION) -> ProjectState:
    """Return workerd's models as they were at ``migration``."""
    return MigrationExecutor(connections[alias]).loader.project_state(("workerd", migration))


def columns_of(state: ProjectState) -> dict[str, set[str]]:
    """Return the columns of each model."""
    return {
        name: {field.attname for field in state.apps.get_model("workerd", name)._meta.concrete_fields}
        for name in COLUMNS
    }


def migrate_to_newest(alias: str) -> None:
    """Apply every migration of workerd."""
    executor = MigrationExecutor(connections[alias])
    executor.migrate([key for key in executor.loader.graph.leaf_nodes() if key[0] == "workerd"])


def find_breaks(alias: str, upgrade: Callable[[], object]) -> list[str]:
    """Fill an empty database as the release does, upgrade it, and return what the release can no longer do."""
    try:
        release, before = fill_and_upgrade(alias, upgrade)
    except DatabaseError as error:
        return [_sentence("the upgrade", error)]
    return list(_breaks(release, before))


def fill_and_upgrade(alias: str, upgrade: Callable[[], object]) -> tuple[Release, Rows]:
    """Return the release that has filled the database, and its rows from before the upgrade."""
    MigrationExecutor(connections[alias]).migrate([("workerd", LAST_MIGRATION)])
    apps = state_of(alias).apps
    release = Release(alias, {name: apps.get_model("workerd", name) for name in COLUMNS})
    release.insert_rows("before")
    before = release.read_rows()
    upgrade()
    return release, before


def _breaks(release: Release, before: Rows) -> Iterator[str]:
    checks: list[tuple[str, Callable[[], object]]] = [
        ("rows are as they were", lambda: _assert_same(before, release.read_rows())),
        ("new rows are accepted", lambda: release.insert_rows("after")),
        *release.statements(),
    ]
    for name, act in checks:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a driver may raise its own, and each break is to be named
            yield _sentence(name, error)


def _sentence(name: str, error: Exception) -> str:
    return f"{name}: {type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _assert_same(before: Rows, after: Rows) -> None:
    changed = {table for table, rows in before.items() if len(rows) != len(after[table])}
    for table, rows in before.items():
        for old, new in zip(rows, after[table], strict=False):
            changed |= {f"{table}.{column}" for column in old if old[column] != new[column]}
    assert not changed, f"changed: {', '.join(sorted(changed))}"

"""The migrations of workerd that a database lacks, and the rows that would keep them from being applied."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldError
from django.db import connections
from django.db.migrations import AddConstraint
from django.db.migrations.executor import MigrationExecutor
from django.db.models import (
    BaseConstraint,
    BooleanField,
    CheckConstraint,
    Exists,
    ExpressionWrapper,
    OuterRef,
    UniqueConstraint,
)

APP = "workerd"
MOST_ROWS = 1000
"""Of each constraint: a history has millions."""


@dataclass(slots=True)
class Stop:
    """A fault of one row that would stop a migration."""

    migration: str
    reason: str


class PendingMigrations:
    """The migrations of the installed code that one database does not have yet."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        executor = MigrationExecutor(connections[alias])
        loader = executor.loader
        plan = executor.migration_plan(loader.graph.leaf_nodes(APP))
        self._migrations = [migration for migration, _ in plan if migration.app_label == APP]
        applied = [key for key in loader.graph.nodes if key[0] == APP and key in loader.applied_migrations]
        self._models = loader.project_state(applied).apps
        self.has_tables = bool(applied)

    @property
    def names(self) -> list[str]:
        """The migrations in the order in which they are applied."""
        return [migration.name for migration in self._migrations]

    def find_stops(self) -> dict[str, Stop]:
        """Return by row, such as “job “mail””, why a migration stops at it: at a constraint that the row breaks.

        A constraint that names a column of its own migration is passed over: no row has a value there yet.
        """
        stops: dict[str, Stop] = {}
        for migration, model_name, constraint in self._constraints():
            reason = str(constraint.get_violation_error_message())
            for row in self._find_refused(model_name, constraint):
                if row in stops:
                    stops[row].reason += f" {reason}"
                else:
                    stops[row] = Stop(migration, reason)
        return stops

    def _constraints(self) -> Iterator[tuple[str, str, BaseConstraint]]:
        for migration in self._migrations:
            for operation in migration.operations:
                if isinstance(operation, AddConstraint):
                    yield migration.name, operation.model_name, operation.constraint

    def _find_refused(self, model_name: str, constraint: BaseConstraint) -> list[str]:
        try:
            model: Any = self._models.get_model(APP, model_name)
            rows = _refused_rows(model._default_manager.using(self._alias), constraint)
        except (LookupError, FieldError):
            return []
        key = "name" if any(field.name == "name" for field in model._meta.fields) else "pk"
        names = rows.order_by("pk").values_list(key, flat=True)[:MOST_ROWS]
        return [f"{model._meta.verbose_name} “{name}”" for name in names]


def _refused_rows(rows: Any, constraint: BaseConstraint) -> Any:
    """Return the rows that the database would refuse.

    A check constraint takes a row for which its condition is unknown, as it is for a null; so does ``NOT`` here.
    """
    if isinstance(constraint, CheckConstraint):
        condition: Any = constraint.condition
        holds = ExpressionWrapper(condition, output_field=BooleanField())
        return rows.annotate(workerd_holds=holds).filter(workerd_holds=False)
    if isinstance(constraint, UniqueConstraint) and constraint.fields and constraint.condition is None:
        same = {field: OuterRef(field) for field in constraint.fields}
        return rows.filter(Exists(rows.filter(**same).exclude(pk=OuterRef("pk"))))
    return rows.none()

"""An upgrade keeps the rows, and the release before it goes on reading and writing them.

So each new column is nullable or has a default in the database (``db_default``), and none goes that old code names.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections, migrations, models
from django.db.migrations.operations.base import Operation as MigrationOperation
from pytest_django import DjangoDbBlocker, Settings

from tests.harness.backends.backend import Databases
from tests.harness.project import ALIAS, Project
from workerd.ledger.jobs import JobRows
from workerd.models import Node, Operation, Run, Slot
from workerd.wire.messages import JobChanged, JobsListed
from workerd.wire.spec import LATER_FIELDS, JobSpec

from .upgrade.breaks import columns_of, fill_and_upgrade, find_breaks, migrate_to_newest, state_of
from .upgrade.release_0_1_0 import COLUMNS, JOBS

_numbers = itertools.count(1)


@pytest.fixture
def alias(
    databases: Databases, tmp_path: Path, settings: Settings, django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    """The alias of an empty database of the test's own, which is the project's meanwhile."""
    settings.WORKERD = {**settings.WORKERD, "DATABASE": ALIAS}
    name = f"workerd_upgrade_{os.getpid()}_{next(_numbers)}"
    databases.create(name)
    with django_db_blocker.unblock():
        project = Project(tmp_path, databases, name)
        yield ALIAS
        project.close()


def apply(*operations: MigrationOperation) -> Callable[[], object]:
    """Return an upgrade that is a made-up next migration."""

    def upgrade() -> None:
        class Migration(migrations.Migration):
            pass

        Migration.operations = list(operations)
        with connections[ALIAS].schema_editor() as editor:
            Migration("9999_made_up", "workerd").apply(state_of(ALIAS), editor)

    return upgrade


def test_the_release_before_reads_and_writes_the_newest_schema(alias: str) -> None:
    assert find_breaks(alias, lambda: migrate_to_newest(alias)) == []


@pytest.mark.slow
def test_the_newest_code_reads_every_row_of_the_release_before(alias: str) -> None:
    fill_and_upgrade(alias, lambda: migrate_to_newest(alias))

    *changes, listed = JobRows(alias, check_allowed=lambda *_words: None).poll()
    assert [type(change) for change in changes] == [JobChanged] * len(JOBS)
    assert listed == JobsListed(len(JOBS))
    for model in (Node, Operation, Run, Slot):
        assert list(model._default_manager.using(alias))


def test_a_row_that_old_code_writes_has_what_is_new_at_its_default_and_is_sound(alias: str) -> None:
    """It leaves the columns null that it does not know."""
    release, _ = fill_and_upgrade(alias, lambda: migrate_to_newest(alias))
    release.insert_rows("after")
    changes = JobRows(alias, check_allowed=lambda *_words: None).poll()
    specs = [JobSpec.from_dict(change.spec) for change in changes if isinstance(change, JobChanged)]

    assert len(specs) == 2 * len(JOBS)
    for spec in specs:
        assert {name: getattr(spec, name) for name in LATER_FIELDS} == {
            "schedule": "",
            "time_zone": "",
            "start_within": 600.0,
            "overlap": "skip",
            "spread": 0.0,
            "environment": {},
            "working_directory": "",
            "umask": "",
            "starts_after": [],
            "scope": "each_node",
            "where": "",
            "takeover_after": 30.0,
            "without_database": "stop",
            "movable": False,
            "labels": "",
        }


@pytest.mark.backends("any")
@pytest.mark.django_db
def test_a_released_migration_stays_as_it_was() -> None:
    assert columns_of(state_of("default")) == {name: set(columns) for name, columns in COLUMNS.items()}


@pytest.mark.backends("any")
@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration() -> None:
    call_command("makemigrations", "workerd", "shop", check_changes=True, dry_run=True)


def test_a_new_column_that_only_new_code_fills_is_a_break(alias: str) -> None:
    breaks = find_breaks(alias, apply(migrations.AddField("Job", "priority", models.IntegerField(default=0))))

    assert [sentence.partition(":")[0] for sentence in breaks] == ["new rows are accepted"]
    assert "priority" in breaks[0]


BREAKS: dict[str, tuple[MigrationOperation, str]] = {
    "a column goes": (migrations.RemoveField("Run", "note"), "the ledger ends a run"),
    "a column is renamed": (migrations.RenameField("Slot", "memory", "memory_mib"), "the ledger moves a slot"),
    "a table goes": (migrations.DeleteModel("Node"), "the ledger writes its node"),
    "a table is renamed": (migrations.RenameModel("Operation", "Order"), "the ledger takes an order"),
    "a null is refused": (
        migrations.AlterField("Run", "pid", models.PositiveIntegerField(default=0)),
        "new rows are accepted",
    ),
    "a word is refused": (
        migrations.AddConstraint("Operation", models.CheckConstraint(condition=~models.Q(verb="dump"), name="no_dump")),
        "the upgrade",
    ),
    "a row is rewritten": (migrations.RunSQL("UPDATE workerd_job SET stop_timeout = 1"), "rows are as they were"),
    "a row is deleted": (migrations.RunSQL("DELETE FROM workerd_slot"), "rows are as they were"),
}
KEEPS: dict[str, MigrationOperation] = {
    "a column that may be null": migrations.AddField("Run", "lateness", models.FloatField(null=True)),
    "a column that the database fills": migrations.AddField("Job", "priority", models.IntegerField(db_default=0)),
    "a wider column": migrations.AlterField("Slot", "name", models.CharField(max_length=200)),
    "an index": migrations.AddIndex("Run", models.Index(fields=("pid",), name="by_pid")),
    "a table": migrations.CreateModel("Seat", [("id", models.BigAutoField(primary_key=True))]),
}


@pytest.mark.slow
@pytest.mark.backends("any")
@pytest.mark.parametrize("operation", KEEPS.values(), ids=KEEPS)
def test_what_old_code_does_not_notice_is_no_break(alias: str, operation: MigrationOperation) -> None:
    assert find_breaks(alias, apply(operation)) == []


@pytest.mark.slow
@pytest.mark.backends("any")
@pytest.mark.parametrize(("operation", "broken"), BREAKS.values(), ids=BREAKS)
def test_each_way_to_break_old_code_is_found(alias: str, operation: MigrationOperation, broken: str) -> None:
    breaks = find_breaks(alias, apply(operation))

    assert broken in [sentence.partition(":")[0] for sentence in breaks], breaks

"""What a command has left behind: processes, rows, keys of Redis, files; each as a word and what it is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from django.db import connections

from tests.harness.processes import ProcessTree
from tests.harness.project import ALIAS
from tests.harness.waiting import TooLateError, eventually

from .observation import steady
from .services import redis_keys

GONE_WITHIN_S = 1.0
OUR_PROCESSES = ("workerd: tests forkserver", "workerd: tests spare", "workerd: tests workerd.")
OUR_TABLES = ("workerd_", "django_migrations", "django_content_type", "auth_", "sqlite_")
OUR_FILES = ("state", "stdout", "stderr", "work")
PARTS_OF_SQLITE = ("-wal", "-shm", "-journal")


def find_processes(tree: ProcessTree, daemon: int | None) -> list[str]:
    """Return what the command has started and left running, a moment after its end."""

    def left() -> list[str]:
        found = [process for process in tree.look(daemon) if process.pid != daemon and not process.is_zombie]
        lines = [process.command_line() for process in found]
        return [f"process {steady(line)}" for line in lines if line and not line.startswith(OUR_PROCESSES)]

    try:
        eventually(lambda: not left(), GONE_WITHIN_S)
        return []
    except TooLateError:
        return sorted(left())


def find_rows(columns: Sequence[str]) -> list[str]:
    """Return how many rows each table has, and each value of ``columns`` (“table.column”)."""
    connection = connections[ALIAS]
    counts: dict[str, int] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if not table.startswith(OUR_TABLES):
                cursor.execute(f'SELECT count(*) FROM "{table}"')
                counts[table] = cursor.fetchone()[0]
        for name in columns:
            table, _, column = name.partition(".")
            cursor.execute(f'SELECT "{column}", count(*) FROM "{table}" GROUP BY 1')
            counts |= {f"{name}={value}": count for value, count in cursor.fetchall()}
    return _counted("rows", counts)


def find_keys(url: str, noise: Sequence[str]) -> list[str]:
    """Return how much the keys of a Redis hold; keys whose names differ by a number or the like count as one."""
    counts: dict[str, int] = {}
    for name, count in redis_keys(url).items():
        shown = steady(name, noise)
        counts[shown] = counts.get(shown, 0) + count
    return _counted("key", counts)


def find_files(folder: Path, noise: Sequence[str]) -> list[str]:
    """Return the files in the command's working folder."""
    paths = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    names = [str(path) for path in paths if path.parts[0] not in OUR_FILES]
    return [f"file {steady(name, noise)}" for name in names if not name.endswith(PARTS_OF_SQLITE)]


def _counted(what: str, counts: Mapping[str, int]) -> list[str]:
    return [f"{what} {name}: {count}" for name, count in sorted(counts.items()) if count]

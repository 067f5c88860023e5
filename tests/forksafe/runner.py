"""``python -m tests.forksafe.runner MODULE:FUNCTION JSON``: runs one script in a minimal Django project.

The project does not list workerd in INSTALLED_APPS and, unless the script asks for it, has no WORKERD setting.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, NoReturn

SESSION = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT CONNECTION_ID()", "sqlite": "SELECT 0"}
SLOW = {"postgresql": "SELECT 111 FROM pg_sleep({})", "mysql": "SELECT 111 + 0 * SLEEP({})"}
SETTLED_WITHIN_S = 30.0
"""A server takes a moment to notice that a session has ended."""
program: dict[str, Any] = {}


def value_of(sql: str, alias: str = "default") -> Any:
    """Return the first value that a query answers."""
    from django.db import connections

    with connections[alias].cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def wrapper() -> Any:
    """Return the default connection, for what only the wrapper of its backend has, such as a pool."""
    from django.db import connections

    return connections["default"]


def session(alias: str = "default") -> int:
    """Return the server's number of the connection's session, asked of the server."""
    from django.db import connections

    return int(value_of(SESSION[connections[alias].vendor], alias))


def slow(seconds: float, alias: str = "default") -> Any:
    """Ask a question whose answer, 111, takes a while."""
    from django.db import connections

    return value_of(SLOW[connections[alias].vendor].format(seconds), alias)


def kill_session(number: int) -> None:
    """Have the server end a session, over a connection that is not registered."""
    from django.db import connection

    end, look = {
        "postgresql": (
            f"SELECT pg_terminate_backend({number})",
            f"SELECT count(*) FROM pg_stat_activity WHERE pid = {number}",
        ),
        "mysql": (f"KILL {number}", f"SELECT count(*) FROM information_schema.processlist WHERE id = {number}"),
    }[connection.vendor]
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute(end)
        left = True
        while left:
            cursor.execute(look)
            left = cursor.fetchone()[0] > 0
    other.close()


def sessions(expected: int) -> int:
    """Count the sessions on the script's database besides the one that asks, once there are no more than expected."""
    from django.db import connection

    other = connection.copy()
    query = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend'",
        "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE()",
    }[other.vendor]
    deadline = time.monotonic() + SETTLED_WITHIN_S
    with other.cursor() as cursor:
        while True:
            cursor.execute(query)
            count = int(cursor.fetchone()[0]) - 1
            if count <= expected or time.monotonic() > deadline:
                break
    other.close()
    return count


def in_child(call: Callable[[], Any], fork: Callable[[], int] = os.fork) -> Any:
    """Return what ``call`` returns in a forked child, or its error as text."""
    reader, writer = os.pipe()
    pid = fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            answer = attempt(call)
            os.write(writer, json.dumps(answer).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def attempt(call: Callable[[], Any]) -> Any:
    """Return what ``call`` returns, or its error as text."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - the error is the answer
        return f"{type(error).__name__}: {error}"


def wait_until_blocked(pid: int) -> None:
    """Return when the process sleeps in a system call, as one that waits for an answer does."""
    blocked = 0
    while blocked < 5:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        blocked = blocked + 1 if state == "S" else 0


def logged(name: str = "") -> list[dict[str, Any]]:
    """Return the events that the script's processes have logged so far."""
    lines = Path(program["events"]).read_text().splitlines()
    return [line for line in map(json.loads, lines) if not name or line["event"] == name]


def main(script: str, text: str) -> None:
    """Set up the project, run the script, and write its result."""
    program.update(json.loads(text))
    _configure()
    module, _, function = script.partition(":")
    result = getattr(importlib.import_module(f"tests.forksafe.scripts.{module}"), function)()
    Path(program["result"]).write_text(json.dumps(result))


def _configure() -> None:
    import structlog
    from django.conf import settings

    from django_site.databases import database_from_url, use_drivers

    urls = program["urls"]
    use_drivers(urls.values())
    databases = {alias: database_from_url(url, Path("/")) for alias, url in urls.items()}
    for database in databases.values():
        database.update(program.get("database", {}))
    settings.configure(DATABASES=databases, USE_TZ=True, **program.get("settings", {}))
    descriptor = os.open(program["events"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)

    def write(_: object, __: str, event: MutableMapping[str, Any]) -> NoReturn:
        os.write(descriptor, json.dumps({**event, "pid": os.getpid()}).encode() + b"\n")
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.add_log_level, write])
    import django

    django.setup()
    if program.get("install", True):
        from workerd import forksafe

        forksafe.install(program.get("name"))


if __name__ == "__main__":
    # The scripts import this module by its name: it must be the same one.
    from tests.forksafe import runner  # noqa: PLW0406 - see above

    runner.main(*sys.argv[1:])

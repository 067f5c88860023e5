"""One cell of the proof, in a process of its own: a parent with an open session, four children, kills and restarts.

``python -m benchmarks.fork_proof.cell JSON``; the figures stand in a shared file, so a hung cell may be killed.
"""

import json
import logging
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from .counters import ANSWERED, DONE, ERRORS, PARENT, WRITTEN, WRONG, Counters

CHILDREN, ITEMS, WRITE_EVERY = 4, 500, 20


class Cell:
    """The parent's side: its polls, its births, and what became of its own session."""

    def __init__(self, program: dict[str, Any]) -> None:
        from .strategies import STRATEGIES

        self.program = program
        self.nonce = program["nonce"]
        self.counters = Counters(Path(program["counters"]))
        self.strategy = STRATEGIES[program["strategy"]]()
        self.births = self.hung = self.lost_sessions = 0
        self.living: dict[int, tuple[int, float, int]] = {}

    def play(self) -> dict[str, Any]:
        """Bear, kill and bear again until enough was asked and restarted; return what the counters do not hold."""
        self._fill()
        self.strategy.at_boot()
        before = self._poll()
        started = time.monotonic()
        while self._wants_more() or self.living:
            while self._wants_more() and len(self.living) < CHILDREN:
                self._bear()
            self._reap()
        seconds = time.monotonic() - started
        after = self._poll()
        leaked = sessions_leaked()
        return {
            "births": self.births,
            "restarts": self.births - CHILDREN,
            "hung": self.hung,
            "seconds": round(seconds, 2),
            "sessions_lost": self.lost_sessions,
            "session_kept": before == after,
            "rows_written": self._rows_written(),
            "leaked": leaked,
        }

    def _wants_more(self) -> bool:
        if self.births >= self.program["births_at_most"]:
            return False
        asked = self.counters.total(ANSWERED, self.births) + self.counters.total(ERRORS, self.births)
        return bool(self.births < CHILDREN + self.program["restarts"] or asked < self.program["queries"])

    def _fill(self) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS item")
            cursor.execute("DROP TABLE IF EXISTS written")
            cursor.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, payload VARCHAR(80) NOT NULL)")
            cursor.execute("CREATE TABLE written (birth INTEGER NOT NULL, n INTEGER NOT NULL)")
            rows = [(number, f"{self.nonce}:{number}") for number in range(ITEMS)]
            cursor.executemany("INSERT INTO item VALUES (%s, %s)", rows)

    def _poll(self) -> int | None:
        """Ask as a supervisor does between forks, and so hold an open session; return its number."""
        from django.db import connection

        from workerd.forksafe.drivers import session_id_of

        errors = self.counters.get(PARENT, ERRORS)
        for _ in range(5):
            _ask(self.strategy, self.nonce, self.counters, PARENT)
        if self.counters.get(PARENT, ERRORS) > errors:
            # A session that answers with errors is given up, as Django does at the end of a request.
            self.lost_sessions += 1
            try:
                connection.close()
            except Exception:  # noqa: BLE001 - its driver minds too
                connection.connection = None
        return session_id_of(connection.connection) if connection.connection is not None else None

    def _bear(self) -> None:
        self._poll()
        self.strategy.before_fork()
        self.births += 1
        life = self.program["life"]
        # Every other child is killed before it has asked all its questions.
        doomed_at = random.randint(life // 5, life) if self.births % 2 else life * 2
        pid = os.fork()
        if pid == 0:
            _live(self, self.births)
        self.living[pid] = (self.births, time.monotonic() + self.program["hung_after"], doomed_at)

    def _reap(self) -> None:
        time.sleep(0.001)
        now = time.monotonic()
        for pid, (birth, deadline, doomed_at) in list(self.living.items()):
            if self.counters.get(birth, ANSWERED) >= doomed_at:
                os.kill(pid, signal.SIGKILL)
            elif now > deadline:
                self.hung += 1
                os.kill(pid, signal.SIGKILL)
            elif os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
            else:
                del self.living[pid]
                continue
            os.waitpid(pid, 0)
            del self.living[pid]

    def _rows_written(self) -> int:
        from django.db import connection

        try:
            connection.close()
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM written")
                return int(cursor.fetchone()[0])
        except Exception:  # noqa: BLE001 - a broken session is the finding
            return -1


def _live(cell: Cell, birth: int) -> None:
    counters = cell.counters
    try:
        cell.strategy.in_child()
        random.seed()
        for number in range(cell.program["life"]):
            _ask(cell.strategy, cell.nonce, counters, birth)
            if number % WRITE_EVERY == 0:
                _write(cell.strategy, counters, birth, number)
        counters.add(birth, DONE)
    except BaseException as error:  # noqa: BLE001 - whatever a strategy leads to is counted
        counters.keep_error(birth, error)
    finally:
        os._exit(0)


def _ask(strategy: Any, nonce: str, counters: Counters, row: int) -> None:
    """Ask for one row and see whether it is the one that was asked for."""
    number = random.randrange(ITEMS)
    try:
        with strategy.cursor() as cursor:
            cursor.execute("SELECT id, payload FROM item WHERE id = %s", [number])
            answer = cursor.fetchone()
    except Exception as error:  # noqa: BLE001 - each driver has its own errors, all are counted
        counters.keep_error(row, error)
        return
    counters.add(row, ANSWERED)
    if answer is None or tuple(answer) != (number, f"{nonce}:{number}"):
        counters.add(row, WRONG)


def _write(strategy: Any, counters: Counters, row: int, number: int) -> None:
    try:
        with strategy.cursor() as cursor:
            cursor.execute("INSERT INTO written VALUES (%s, %s)", [row, number])
    except Exception as error:  # noqa: BLE001 - each driver has its own errors, all are counted
        counters.keep_error(row, error)
        return
    counters.add(row, WRITTEN)


def sessions_leaked() -> int:
    """Return how many sessions are on the database besides the parent's own, a second after its last child ended."""
    from django.db import connections

    connection: Any = connections["default"]  # of whichever backend: only some have a pool
    query = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend'",
        "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE()",
    }.get(connection.vendor)
    if query is None:
        return 0
    pool = getattr(connection, "pool", None)
    own = pool._nconns if pool else int(connection.connection is not None)
    onlooker = connection.Database.connect(**connection.get_connection_params())
    deadline = time.monotonic() + 1.0
    cursor = onlooker.cursor()
    while True:
        cursor.execute(query)
        leaked = int(cursor.fetchone()[0]) - 1 - own
        onlooker.rollback()
        if leaked <= 0 or time.monotonic() > deadline:
            onlooker.close()
            return max(0, leaked)


def cipher() -> str:
    """Return how the server says that the session is encrypted; empty where it is not."""
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT coalesce(cipher, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            return str(cursor.fetchone()[0])
        if connection.vendor == "mysql":
            cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
            return str(cursor.fetchone()[1])
    return ""


def main(text: str) -> None:
    """Set up Django for the cell's database, play, and write what came of it."""
    program = json.loads(text)
    from django.conf import settings

    from django_site.databases import database_from_url, use_drivers

    use_drivers([program["url"]])
    settings.configure(DATABASES={"default": database_from_url(program["url"], Path("/"))}, USE_TZ=True)
    import django

    django.setup()
    logging.getLogger("workerd.forksafe").setLevel(logging.CRITICAL)
    encrypted = cipher()
    result = Cell(program).play()
    Path(program["result"]).write_text(json.dumps({**result, "cipher": encrypted}))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])

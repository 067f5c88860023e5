"""The control, without a race: a child killed in mid-query leaves its answer to whoever shares its session."""

import os
import signal
from typing import Any

from django.db import connection, connections, transaction

from tests.forksafe.runner import attempt, in_child, session, slow, value_of, wait_until_blocked


def kill_child_mid_query(seconds: float) -> int:
    """Fork a child, kill it while it waits for an answer, and return the session that it used."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, str(session()).encode())
            os.close(writer)
            slow(seconds)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        number = int(stream.read())
    wait_until_blocked(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return number


def cipher() -> str:
    """Return how the session is encrypted, as the server says, or an empty string."""
    if connection.vendor == "postgresql":
        return str(value_of("SELECT coalesce(cipher, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        return str(cursor.fetchone()[1])


def nothing() -> dict[str, Any]:
    """Fork with the session open and nothing done about it."""
    encrypted, mine = cipher(), session()
    child = kill_child_mid_query(0.3)
    return {"cipher": encrypted, "shared": child == mine, "answer": attempt(lambda: value_of("SELECT 222"))}


def close_all_alone() -> dict[str, Any]:
    """Close as many projects do: right, unless there is a pool."""
    session()
    connections.close_all()
    children = [in_child(session), in_child(session)]
    connections.close_all()
    child = kill_child_mid_query(0.3)
    return {"shared": children[0] == children[1] == child, "answer": attempt(lambda: value_of("SELECT 222"))}


def _rounds(prepare: bool) -> dict[str, Any]:
    from workerd import forksafe

    shared, wrong, lost = 0, [], 0
    encrypted = cipher()
    for _ in range(50):
        mine = session()
        if prepare:
            forksafe.prepare_to_fork()
        child = kill_child_mid_query(0.3)
        answer = attempt(lambda: value_of("SELECT 222"))
        shared += child == mine
        lost += not prepare and session() != mine
        wrong += [answer] if answer != 222 else []
    return {"cipher": encrypted, "shared": shared, "wrong": wrong, "lost": lost}


def prepared() -> dict[str, Any]:
    """Prepare before each of 50 forks, from an open session."""
    return _rounds(prepare=True)


def installed_alone() -> dict[str, Any]:
    """Fork 50 times with the session open, and rely on the hook."""
    return _rounds(prepare=False)


def _sqlite_rounds(prepare: bool) -> dict[str, Any]:
    """Kill 50 children inside a transaction, each after one that it has committed; the parent writes in between."""
    from workerd import forksafe

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("CREATE TABLE told (who TEXT, round INTEGER, UNIQUE (who, round))")
    for number in range(50):
        _tell("parent", number)
        if prepare:
            forksafe.prepare_to_fork()
        _kill_child_inside_a_transaction(number)
    counts = {who: value_of(f"SELECT count(*) FROM told WHERE who = '{who}'") for who in ("parent", "child", "lost")}
    return {**counts, "intact": value_of("PRAGMA integrity_check")}


def _tell(who: str, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO told VALUES (%s, %s)", [who, number])


def _kill_child_inside_a_transaction(number: int) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _tell("child", number)
            with transaction.atomic():
                _tell("lost", number)
                os.write(writer, b"inside")
                signal.pause()
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        stream.read(len(b"inside"))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def sqlite_prepared() -> dict[str, Any]:
    """Prepare before each of 50 forks, from an open connection."""
    return _sqlite_rounds(prepare=True)


def sqlite_installed_alone() -> dict[str, Any]:
    """Fork 50 times with the connection open, and rely on the hook."""
    return _sqlite_rounds(prepare=False)

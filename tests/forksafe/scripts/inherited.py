"""Forks by others, with connections open: what install() alone makes of them."""

import ctypes
import gc
import multiprocessing
import os
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from django.db import connection, connections, transaction

from tests.forksafe.runner import attempt, in_child, logged, session, sessions, value_of, wrapper
from tests.harness.waiting import eventually
from workerd.forksafe.audit import audit

FORK = multiprocessing.get_context("fork")


def discarded() -> dict[str, Any]:
    """Fork with two aliases open: the child has sessions of its own, says what it discarded, and ends none."""
    connections.settings["second"] = {**connections.settings["default"]}
    mine = [session(), session("second")]

    def child() -> list[Any]:
        before = len(logged())
        gc.collect()
        theirs = [session(), session("second")]
        connections.close_all()
        return [before, theirs]

    before = len(logged())
    at_fork, theirs = in_child(child)
    return {
        "silent": at_fork == before,
        "apart": not set(mine) & set(theirs),
        "same": [session(), session("second")] == mine,
        "events": [[event["alias"], event["session"], event["opened_by"]] for event in logged("connection.discarded")],
        "expected": [[alias, number, os.getpid()] for alias, number in zip(["default", "second"], mine, strict=True)],
    }


def half_made() -> int:
    """Fork while another thread, as of a pool, has reached the server and has not logged in: return what is shared."""
    server = connection.settings_dict
    over, connected = threading.Event(), threading.Event()

    def log_in_slowly() -> None:
        with socket.create_connection((server["HOST"], int(server["PORT"]))):
            connected.set()
            over.wait()

    thread = threading.Thread(target=log_in_slowly)
    thread.start()
    connected.wait()
    try:
        return int(in_child(lambda: len(audit([os.getpid()], {int(server["PORT"])}).shared)))
    finally:
        over.set()
        thread.join()


def ends_by_exit() -> bool:
    """Have the child end by a whole interpreter exit, garbage collection and all, without using the database."""
    mine = session()
    pid = os.fork()
    if pid == 0:
        gc.collect()
        sys.exit(0)
    os.waitpid(pid, 0)
    return session() == mine


def in_a_transaction() -> dict[str, Any]:
    """Fork inside atomic(): the child is outside of it, and the parent's work is there at the end."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS kept")
        cursor.execute("CREATE TABLE kept (n INTEGER)")

    def child() -> list[Any]:
        in_atomic = connection.in_atomic_block
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM kept")
            seen = cursor.fetchone()[0]
        return [in_atomic, seen]

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO kept VALUES (7)")
        answer = in_child(child)
    return {"child": answer, "kept": value_of("SELECT n FROM kept")}


def write_beside(number: int) -> int:
    """Insert and verify a row of one's own."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO written VALUES (%s)", [number])
        cursor.execute("SELECT n FROM written WHERE n = %s", [number])
        return int(cursor.fetchone()[0])


def _start_writing() -> int:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS written")
        cursor.execute("CREATE TABLE written (n INTEGER)")
    return session()


def _written(mine: int) -> dict[str, Any]:
    return {"rows": value_of("SELECT count(*) FROM written"), "same": session() == mine}


def plain_processes() -> dict[str, Any]:
    """Start plain Processes, one after the other has died: the snippet that this project began with."""
    mine = _start_writing()
    for number in range(6):
        process = FORK.Process(target=write_beside, args=(number,))
        process.start()
        process.join()
    return _written(mine)


def process_pool() -> dict[str, Any]:
    """Use a Pool, whose own thread starts later workers."""
    mine = _start_writing()
    with FORK.Pool(2, maxtasksperchild=1) as pool:
        answers = pool.map(write_beside, range(8), chunksize=1)
    return _written(mine) | {"answers": answers}


def process_executor() -> dict[str, Any]:
    """Use a ProcessPoolExecutor."""
    mine = _start_writing()
    with ProcessPoolExecutor(2, mp_context=FORK) as executor:
        answers = list(executor.map(write_beside, range(8)))
    return _written(mine) | {"answers": answers}


def _raw_fork() -> int:
    """Fork as a C program would: Python's at-fork hooks are not run."""
    return int(ctypes.PyDLL(None).fork())


def _others_wait() -> bool:
    """Return whether no other thread wants the interpreter, whose lock a fork without Python's hooks takes as it is."""
    frames = sys._current_frames()
    return all(frames[ident].f_code.co_name == "wait" for ident in frames if ident != threading.get_ident())


def map_attempts(calls: list[Callable[[], Any]]) -> list[Any]:
    return [attempt(call) for call in calls]


def forked_unseen() -> dict[str, Any]:
    """Use an inherited connection after a fork of C code, in a query, in a close, and in a transaction."""
    mine = session()

    def transact() -> int:
        with transaction.atomic():
            return session()

    def close() -> int:
        connection.close()
        return session()

    found = [in_child(partial(map_attempts, [use, session]), fork=_raw_fork) for use in (session, close, transact)]
    return {"found": found, "session": mine, "same": session() == mine}


def other_pools() -> dict[str, Any]:
    """Fork beside connections that Django does not know: a child must not read their answers, nor hang on them."""
    mine = session()
    raws = [connection.get_new_connection(connection.get_connection_params()) for _ in range(2)]

    def ask(raw: Any, number: int) -> Any:
        with raw.cursor() as cursor:
            cursor.execute(f"SELECT {number}")
            return cursor.fetchone()[0]

    children = [in_child(partial(map_attempts, [partial(ask, raw, 7) for raw in raws])) for _ in range(3)]
    return {"children": children, "parent": [ask(raw, 8) for raw in raws], "same": session() == mine}


def state_of_a_backend() -> dict[str, Any]:
    """Have a backend's own ``close`` forget what it knows of its session, as django-tenants' does."""
    known = connections["default"]
    original = type(known).close

    def close(self: Any) -> None:
        vars(self)["search_path_is_set"] = False
        original(self)

    type(known).close = close  # type: ignore[method-assign]
    mine = session()
    vars(known)["search_path_is_set"] = True
    child = in_child(lambda: vars(known)["search_path_is_set"])
    return {"child": child, "parent": vars(known)["search_path_is_set"], "same": session() == mine}


def reconnects_after_trip() -> bool:
    """Have a child that closed nothing but forgot the wrapper's connection connect anew, by its right."""
    mine = session()
    kept = []

    def child() -> int:
        kept.append(connection.connection)
        connections["default"].connection = None
        return session()

    other = in_child(child, fork=_raw_fork)
    return isinstance(other, int) and other != mine and session() == mine


def in_memory() -> list[Any]:
    """Leave SQLite in memory to the child as the copy that it is."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (n INTEGER)")
        cursor.execute("INSERT INTO kept VALUES (7)")
    return [in_child(lambda: value_of("SELECT n FROM kept")), value_of("SELECT n FROM kept")]


def wal_unguarded() -> dict[str, Any]:
    """Commit, in a child, rows into the transaction that the parent has open: SQLite says that all is well."""
    return _wal()


def wal_guarded() -> dict[str, Any]:
    """Try the same behind install(): an error instead of lost rows."""
    return _wal()


def _wal() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("CREATE TABLE IF NOT EXISTS lost (n INTEGER)")
        cursor.execute("DELETE FROM lost")

    def child() -> int:
        for number in range(100):
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO lost VALUES (%s)", [number])
        with connection.cursor() as cursor:
            cursor.execute("COMMIT")
            cursor.execute("SELECT count(*) FROM lost")
            return int(cursor.fetchone()[0])

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO lost VALUES (-1)")
        child_says = in_child(child)
    connection.close()
    return {"child": child_says, "rows": value_of("SELECT count(*) FROM lost")}


def in_a_thread() -> dict[str, Any]:
    """Fork in a thread that has no connection, beside the main one that has."""
    mine = session()
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(in_child(session)))
    thread.start()
    thread.join()
    return {"apart": answers[0] != mine, "same": session() == mine}


def inherited_pool() -> dict[str, Any]:
    """Fork with a pool open: the child has a pool of its own, and the parent's stays whole."""
    mine = session()
    own = wrapper().pool

    def child() -> list[Any]:
        number, apart = session(), wrapper().pool is not own
        connections.close_all()
        wrapper().close_pool()
        return [number != mine, apart]

    children = [in_child(child) for _ in range(3)]
    connection.close()
    own.check()
    return {"children": children, "answers": [value_of("SELECT 5") for _ in range(8)], "pool": wrapper().pool is own}


def pool_forked_unseen() -> dict[str, Any]:
    """Fork as a C program does with a connection idle in the pool: the wrapper has none, and asks the pool for one."""
    mine = session()
    connection.close()
    wrapper().pool.wait()
    eventually(_others_wait, what="the threads of the pool rest")
    children = [in_child(session, fork=_raw_fork) for _ in range(3)]
    return {"session": mine, "children": children, "parent": session()}


def leftovers() -> int:
    """Count the sessions left by three children that were killed or ended at once: none but the parent's."""
    session()
    for _ in range(3):
        in_child(session)
    return sessions(1)

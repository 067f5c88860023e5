"""A connection's life as its events tell it, and how a process keeps its connections usable."""

import ctypes
import gc
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DatabaseError, OperationalError, close_old_connections, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLiteWrapper

from tests.forksafe.runner import attempt, in_child, kill_session, logged, session, value_of, wrapper
from workerd import forksafe
from workerd.forksafe.drivers import descriptor_of


def _reasons() -> list[str]:
    return [event["reason"] for event in logged("connection.closed")]


def opened_and_closed() -> dict[str, Any]:
    """Open and close, for every reason that a process of one thread has."""
    number = session()
    connection.close()
    session()
    connection.close_at = time.monotonic()
    connection.close_if_unusable_or_obsolete()
    session()
    connection.set_autocommit(False)
    connection.close_if_unusable_or_obsolete()
    session()
    forksafe.close_connections()
    first = logged("connection.opened")[0]
    return {"reasons": _reasons(), "session": first["session"] == number, "vendor": first["vendor"], "ms": first["ms"]}


def collected() -> list[str]:
    """Have the garbage collector end the session of a thread that is gone."""

    def work() -> None:
        session()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    gc.collect()
    session()
    return _reasons()


def broken() -> list[str]:
    """Notice by itself, as Django does between requests, that sessions ended."""
    connections["default"].settings_dict["CONN_MAX_AGE"] = None
    kill_session(session())
    attempt(session)
    connection.close_if_unusable_or_obsolete()
    connections["default"].settings_dict["CONN_HEALTH_CHECKS"] = True
    before = len(_reasons())
    kill_session(session())
    connection.close_if_unusable_or_obsolete()
    session()
    return [reason for reason in _reasons() if reason != "explicit"] + [str(len(_reasons()) > before)]


def failed() -> dict[str, Any]:
    """Connect where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    connections["default"].settings_dict["PORT"] = str(port)
    error = None
    try:
        session()
    except DatabaseError as caught:
        error = caught
    assert error is not None
    return {"events": logged("connection.failed"), "alias": forksafe.is_unreachable(error)}


def set_up_fails() -> dict[str, Any]:
    """Have the session's set-up fail: there was a session all the same, and it is told of and closed."""
    wrapper = connections["default"]

    def fail() -> None:
        raise OperationalError("no such time zone")

    wrapper.init_connection_state = fail  # type: ignore[method-assign]
    attempt(session)
    connection.close()
    return {"events": [event["event"] for event in logged()], "reasons": _reasons()}


def label_on_server() -> str:
    """Return what the server calls the session."""
    return str(value_of("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"))


def relabelled() -> list[str]:
    """Name a session, and the next one otherwise; a name of the project's own wins."""
    names = [label_on_server()]
    forksafe.label_sessions("price-feed:1 — ü" + "x" * 80)
    connection.close()
    names.append(label_on_server())
    connection.close()
    connections["default"].settings_dict["OPTIONS"]["application_name"] = "the project's own"
    names.append(label_on_server())
    return names


def label_in_driver() -> list[Any]:
    """Return the connect attributes that PyMySQL sent, for the label and for a name of the project's own."""
    session()
    labels = [connection.connection._connect_attrs.get("program_name")]
    connection.close()
    connections["default"].settings_dict["OPTIONS"]["program_name"] = "own"
    session()
    return [*labels, connection.connection._connect_attrs.get("program_name")]


class StrangeWrapper(SQLiteWrapper):
    """A backend that connects and closes without a word to its base class."""

    def connect(self) -> None:
        """Connect by itself."""
        from django.db.backends.signals import connection_created

        self.connection = self.get_new_connection(self.get_connection_params())
        self.autocommit = True
        connection_created.send(sender=type(self), connection=self)

    def close(self) -> None:
        """Close by itself."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def strange_backend() -> dict[str, Any]:
    """Have a backend watched that does not call super()."""
    strange = StrangeWrapper({**connections["default"].settings_dict}, DEFAULT_DB_ALIAS)
    connections["default"] = strange
    value_of("SELECT 1")
    forksafe.prepare_to_fork()
    value_of("SELECT 1")
    child = in_child(lambda: value_of("SELECT 2"))
    return {"reasons": _reasons(), "opened": len(logged("connection.opened")), "child": child}


def swallowed_errors() -> list[Any]:
    """Ask on, as a command does that swallows errors, while the server ends the session twice."""
    forksafe.heal_connections()
    answers: list[Any] = []
    for turn in range(8):
        if turn in (2, 5):
            kill_session(session())
        answers.append(attempt(lambda: value_of("SELECT 5")))
    return [answer if answer == 5 else "error" for answer in answers]


def closed_without_server() -> list[Any]:
    """Close old connections as the server is away, as a loop does that has met an error."""
    forksafe.heal_connections()
    kill_session(session())
    attempt(session)
    connection.settings_dict["PORT"] = "1"
    return [attempt(close_old_connections), connection.connection is None]


def turns() -> dict[str, Any]:
    """Take turns, with the session ended between two of them."""
    answers: list[Any] = []
    numbers = set()
    for turn in range(6):
        forksafe.refresh_connections()
        answers.append(attempt(lambda: value_of("SELECT 5")))
        numbers.add(attempt(session))
        forksafe.refresh_connections()
        if turn == 3:
            kill_session(session())
            _idle()
    return {
        "answers": answers,
        "sessions": len(numbers),
        "reasons": [reason for reason in _reasons() if reason != "explicit"],
    }


def refreshes() -> dict[str, Any]:
    """Refresh a session that is of no use, of each age; return what that raised, and what the next query answered."""
    breaks: dict[str, Callable[[], Any]] = {
        "ended": lambda: kill_session(session()),
        "closed": _close_behind_django,
        "cut": lambda: _cut(descriptor_of(wrapper().connection)),
        "error": lambda: attempt(lambda: value_of("SELEKT")),
    }
    ages: dict[str, Callable[[], Any]] = {"young": str, "idle": _idle, "old": _grow_old}
    answers: dict[str, Any] = {}
    for name, break_it in breaks.items():
        for age, grow in ages.items():
            for refresh in (forksafe.refresh_connections, forksafe.drop_dead_connections):
                value_of("SELECT 5")
                break_it()
                grow()
                raised = attempt(refresh)
                answers[f"{name}, {age}, {refresh.__name__}"] = [raised, *_ask_until(5)]
    return answers


def _close_behind_django() -> None:
    raw: Any = wrapper().connection
    raw.close()


def _cut(descriptor: int | None) -> None:
    """End the connection under its driver, which finds out at its next use."""
    assert descriptor is not None
    with socket.socket(fileno=descriptor) as ours:
        ours.shutdown(socket.SHUT_RDWR)
        ours.detach()


def _ask_until(answer: int) -> list[Any]:
    """Ask, a second time where the first query fails; return the answers, without the words of an error."""
    first = attempt(lambda: value_of(f"SELECT {answer}"))
    return [answer] if first == answer else ["error", attempt(lambda: value_of(f"SELECT {answer}"))]


def _grow_old() -> None:
    from workerd.forksafe.sessions import session_of

    noted = session_of(connections["default"])
    assert noted is not None
    noted.opened_at -= 301


def _idle() -> None:
    """Make the connection one that nobody looked at for a while."""
    from workerd.forksafe.sessions import session_of

    noted = session_of(connections["default"])
    assert noted is not None
    noted.checked_at -= 60


def old_age() -> list[str]:
    """Renew a connection older than WORKERD["CONN_MAX_AGE"], and never for Django's own."""
    session()
    forksafe.refresh_connections()
    young = list(_reasons())
    from workerd.forksafe.sessions import session_of

    noted = session_of(connections["default"])
    assert noted is not None
    noted.opened_at -= 301
    forksafe.refresh_connections()
    return young + _reasons()


def pool_heals() -> list[Any]:
    """Have every session of a pool ended at once: one query fails, or none."""
    forksafe.heal_connections()
    answers: list[Any] = [value_of("SELECT 5")]
    while len(wrapper().pool._pool) < 3:
        pass
    other = connection.copy()
    other.settings_dict["OPTIONS"].pop("pool")
    with other.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        left = True
        while left:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            left = cursor.fetchone()[0] > 0
    other.close()
    answers += [attempt(lambda: value_of("SELECT 5")) for _ in range(8)]
    return [answer if answer == 5 else "error" for answer in answers]


def unreachable() -> dict[str, str]:
    """Tell an absent server, which the test stops meanwhile, from errors of the job's own."""
    connection_created.connect(_reset)
    at_once = forksafe.is_unreachable(_error("SELECT 1"))
    connection_created.disconnect(_reset)
    connection.close()
    session()
    wrong = _error("SELECT nothing FROM nowhere")
    own = forksafe.is_unreachable(wrong)
    kill_session(session())
    broken_but_up = forksafe.is_unreachable(_error("SELECT 1"))
    connection.close()
    session()
    print("stop", flush=True)
    input()
    mid_session = forksafe.is_unreachable(_error("SELECT 1"))
    connection.close()
    connecting = forksafe.is_unreachable(_error("SELECT 1"))
    print("start", flush=True)
    input()
    connection.close()
    answers = value_of("SELECT 5")
    return {
        "own": own,
        "killed": broken_but_up,
        "at_once": at_once,
        "mid_session": mid_session,
        "connecting": connecting,
        "wrapped": forksafe.is_unreachable(_wrapped(wrong)),
        "back": str(answers),
    }


def _reset(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Leave of a session what its end by a reset leaves: a socket that is connected to nobody."""
    descriptor = descriptor_of(connection.connection)
    nobody = struct.pack("H14x", socket.AF_UNSPEC)
    assert ctypes.CDLL(None).connect(descriptor, nobody, len(nobody)) == 0


def _error(sql: str) -> BaseException:
    try:
        value_of(sql)
    except DatabaseError as error:
        return error
    raise AssertionError(f"{sql} worked")


def _wrapped(error: BaseException) -> BaseException:
    try:
        raise RuntimeError("the job's own") from error  # noqa: TRY301 - to have an error with a cause
    except RuntimeError as outer:
        return outer


def installed_late() -> dict[str, Any]:
    """Install with connections open already, one of another thread: both are watched."""
    mine = session()
    theirs: list[int] = []
    connected, leave = threading.Event(), threading.Event()

    def work() -> None:
        theirs.append(session())
        connected.set()
        leave.wait()
        theirs.append(session())
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    connected.wait()
    forksafe.install("late")
    forksafe.install("late")
    child = in_child(session)
    same = session() == mine
    prepared = len(forksafe.prepare_to_fork().closed)
    leave.set()
    thread.join()
    discarded = sorted(event["session"] for event in logged("connection.discarded"))
    return {
        "apart": child not in (mine, theirs[0]),
        "same": same and theirs[0] == theirs[1],
        "discarded": discarded == sorted([mine, theirs[0]]),
        "prepared": prepared,
    }


def count_sessions() -> dict[str, Any]:
    """Open, fork, discard, kill and close for a while, and return the events' sessions and the server's own count."""
    import os
    import random
    import signal

    before = _sessions_ever()
    for turn in range(30):
        session()
        if turn % 2:
            forksafe.prepare_to_fork()
        pid = os.fork()
        if pid == 0:
            try:
                session()
                if turn % 3:
                    forksafe.close_connections()
                else:
                    os.kill(os.getpid(), signal.SIGKILL)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        if random.random() < 0.3:
            connection.close()
    forksafe.close_connections()
    opened = [(event["alias"], event["session"], event["pid"]) for event in logged("connection.opened")]
    closed = [(event["alias"], event["session"], event["pid"]) for event in logged("connection.closed")]
    return {
        "opened": sorted(number for _, number, _ in opened),
        "open_by_pid": sorted(set(opened) - set(closed)),
        "closed_twice": len(closed) - len(set(closed)),
        "unknown": sorted(set(closed) - set(opened)),
        "killed": 10,
        "before": before,
        "after": _sessions_ever(),
        "parent": os.getpid(),
    }


def _sessions_ever() -> Any:
    """Return the server's count of the sessions on the database so far, by a connection that Django does not see."""
    wrapper = connections["default"]
    raw = wrapper.get_new_connection(wrapper.get_connection_params())
    cursor = raw.cursor()
    if wrapper.vendor == "mysql":
        number = int(raw.thread_id())
        raw.close()
        return number
    raw.autocommit = True
    while True:
        # A session is counted when it ends, so all but this one must have.
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        if cursor.fetchone()[0] == 0:
            break
    cursor.execute("SELECT sessions FROM pg_stat_database WHERE datname = current_database()")
    count = int(cursor.fetchone()[0])
    raw.close()
    return count


def _holding(hold: str, keep: bool = False) -> dict[str, Any]:
    """Refresh a session that is too old, after a statement; return whether it is the same, and what was said."""
    from django.conf import settings

    settings.WORKERD = {"CONN_MAX_AGE": 0}
    forksafe.refresh_connections()
    mine = session()
    if hold:
        with connection.cursor() as cursor:
            cursor.execute(hold)
    if keep:
        forksafe.keep_session()
    for _ in range(2):
        forksafe.refresh_connections()
    return {"same": session() == mine, "kept": [event["reason"] for event in logged("connection.kept")]}


def holding_a_lock() -> dict[str, Any]:
    """Keep a session that holds a lock of its own."""
    return _holding("SELECT pg_advisory_lock(7)" if connection.vendor == "postgresql" else "SELECT GET_LOCK('w', 0)")


def holding_a_table() -> dict[str, Any]:
    """Keep a session that has a temporary table."""
    return _holding("CREATE TEMPORARY TABLE held (n INTEGER)")


def holding_settings() -> dict[str, Any]:
    """Keep a session with settings of its own."""
    return _holding(
        "SET SESSION lock_timeout = 5000" if connection.vendor == "postgresql" else "SET SESSION sql_mode = ''"
    )


def listening() -> dict[str, Any]:
    """Keep a session that listens."""
    return _holding("LISTEN shop")


def holding_nothing() -> dict[str, Any]:
    """Renew a session that holds nothing."""
    return _holding("")


def kept_by_the_job() -> dict[str, Any]:
    """Keep a session because the job says so."""
    return _holding("", keep=True)


def read_only() -> list[Any]:
    """Fail once in a session that only reads, as one does after a failover, and write in the next one."""
    forksafe.heal_connections()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS healed")
        cursor.execute("CREATE TABLE healed (n INTEGER)")
        cursor.execute(
            "SET default_transaction_read_only = on"
            if connection.vendor == "postgresql"
            else "SET SESSION TRANSACTION READ ONLY"
        )

    def write() -> str:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO healed VALUES (1)")
        return "written"

    return [attempt(write).partition(":")[0], attempt(write), attempt(write)]

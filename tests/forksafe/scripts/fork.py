"""What a fork finds and what becomes of it: closed, discarded, refused with the reason, or named once."""

import contextlib
import gc
import logging
import socket
import threading
import time
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any, NoReturn

from django.core.cache.backends.base import BaseCache
from django.db import connection, connections, transaction

from tests.forksafe.runner import attempt, in_child, kill_session, logged, session, sessions, slow, value_of, wrapper
from workerd import forksafe

SECOND = "second"


def refusal() -> str:
    """Return why the fork is refused, or an empty string."""
    try:
        forksafe.prepare_to_fork()
    except forksafe.UnsafeForkError as error:
        return str(error)
    return ""


def add_alias(alias: str) -> None:
    """Configure one more alias for the same database."""
    connections.settings[alias] = {**connections.settings["default"]}


def open_everything() -> dict[str, Any]:
    """Open two aliases, one of which is then unconfigured, and a copy."""
    add_alias(SECOND)
    copy = connection.copy()
    copy.ensure_connection()
    session()
    session(SECOND)
    del connections.settings[SECOND]
    prepared = forksafe.prepare_to_fork()
    opened = logged("connection.opened")
    closed = logged("connection.closed")
    return {
        "closed": sorted(prepared.closed),
        "opened": sorted([event["alias"], event["session"]] for event in opened),
        "ended": sorted([event["alias"], event["session"]] for event in closed),
        "reasons": sorted({event["reason"] for event in closed}),
        "left": sessions(0) if connection.vendor != "sqlite" else 0,
        "again": refusal(),
        "events": len(logged("fork.prepared")),
    }


def in_atomic() -> dict[str, Any]:
    """Refuse inside atomic(), with another alias open besides, and lose nothing."""
    add_alias(SECOND)
    value_of("SELECT 1", SECOND)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS kept")
        cursor.execute("CREATE TABLE kept (n INTEGER)")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO kept VALUES (7)")
        before = session(), session(SECOND)
        reason = refusal()
        after = session(), session(SECOND)
    return {"reason": reason, "same": before == after, "kept": value_of("SELECT n FROM kept")}


def autocommit_off() -> str:
    """Refuse with autocommit off, where work may be waiting for its commit."""
    transaction.set_autocommit(False)
    value_of("SELECT 1")
    reason = refusal()
    transaction.rollback()
    transaction.set_autocommit(True)
    return reason + "|" + refusal()


def raw_begin() -> list[Any]:
    """Refuse in a transaction that Django knows nothing of."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        reason = refusal()
        cursor.execute("ROLLBACK")
    return [reason, refusal()]


def open_second() -> None:
    """A callable for BEFORE_FORK that leaves a session open."""
    add_alias(SECOND)
    value_of("SELECT 1", SECOND)


def fail() -> None:
    """A callable for BEFORE_FORK that does not work."""
    raise ValueError("no such thing")


def before_fork() -> dict[str, Any]:
    """Run BEFORE_FORK, whose sessions are closed with the others."""
    return {"closed": list(forksafe.prepare_to_fork().closed)}


def before_fork_fails() -> str:
    """Refuse where a callable of BEFORE_FORK raises."""
    return refusal()


def failing_close() -> dict[str, Any]:
    """Have the first of two wrappers fail to close; the second is closed all the same."""
    add_alias(SECOND)
    session()
    value_of("SELECT 1", SECOND)

    def close() -> None:
        raise OSError("the disk is on fire")

    wrapper = connections["default"]
    wrapper.close = close  # type: ignore[method-assign]
    reason = refusal()
    del wrapper.__dict__["close"]
    ended = sorted(event["alias"] for event in logged("connection.closed"))
    left = sessions(0) if connection.vendor != "sqlite" else 0
    return {"reason": reason, "left": left, "ended": ended, "then": refusal(), "works": value_of("SELECT 5")}


def closed_behind_djangos_back() -> str:
    """Pass where the driver's connection was closed without Django's knowledge: nothing is open."""
    session()
    connection.connection.close()
    return refusal() + str(value_of("SELECT 5"))


def died_meanwhile() -> dict[str, Any]:
    """Pass where the server ended the session meanwhile."""
    kill_session(session())
    reason = refusal()
    return {"reason": reason, "child": in_child(lambda: value_of("SELECT 5")), "parent": value_of("SELECT 6")}


def raw_connection() -> dict[str, Any]:
    """Refuse beside a driver connection that nobody registered, and name its server."""
    session()
    raw = connection.get_new_connection(connection.get_connection_params())
    reason = refusal()
    raw.close()
    return {"reason": reason, "then": refusal()}


def pool_checked_out() -> dict[str, Any]:
    """Refuse while somebody holds a connection of the pool."""
    session()
    held = wrapper().pool.getconn()
    reason = refusal()
    held.close()
    return {"reason": reason, "then": refusal(), "works": value_of("SELECT 5")}


@contextlib.contextmanager
def living_thread(query: float) -> Iterator[dict[str, Any]]:
    """Run a thread with a session that is idle, or in the middle of a query of some seconds."""
    state: dict[str, Any] = {}
    connected, leave = threading.Event(), threading.Event()

    def work() -> None:
        state["session"] = session()
        connected.set()
        if query:
            state["answer"] = attempt(lambda: slow(query))
        leave.wait()
        state["after"] = attempt(session)
        connection.close()

    thread = threading.Thread(target=work, name="poller")
    thread.start()
    connected.wait()
    try:
        yield state
    finally:
        leave.set()
        thread.join()


def _beside_a_thread(query: float) -> dict[str, Any]:
    session()
    with living_thread(query) as state:
        started = time.monotonic()
        reasons = [refusal(), refusal()]
        took = time.monotonic() - started
        child = in_child(lambda: [session(), gc.collect() * 0])
    return {
        "reasons": reasons,
        "quick": took < (query or 10) / 2,
        "named": [event["peer"] for event in logged("socket.inherited")],
        "discarded": [event["session"] for event in logged("connection.discarded")],
        "child_is_alone": isinstance(child, list) and child[0] != state["session"],
        "thread": state["session"],
        "thread_after": state["after"],
        "answer": state.get("answer"),
        "parent": value_of("SELECT 5"),
    }


def idle_thread() -> dict[str, Any]:
    """Fork beside a living thread with an idle session."""
    return _beside_a_thread(0)


def busy_thread() -> dict[str, Any]:
    """Fork beside a living thread in the middle of a query."""
    return _beside_a_thread(1.0)


def ended_thread() -> dict[str, Any]:
    """Close what an ended thread left open."""
    left: list[Any] = []

    def work() -> None:
        session()
        left.append(connections["default"])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    before = sessions(1)
    reason = refusal()
    return {"before": before, "reason": reason, "after": sessions(0)}


def ended_thread_and_hook() -> dict[str, Any]:
    """Have the child's garbage collector free what an ended thread left: the parent's session must not notice."""
    left: list[Any] = []

    def work() -> None:
        session()
        left.append(connections["default"])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    def collect() -> int:
        left.clear()
        gc.collect()
        return session()

    child = in_child(collect)
    left[0].inc_thread_sharing()
    with left[0].cursor() as cursor:
        cursor.execute("SELECT 5")
        answer = cursor.fetchone()[0]
    left[0].close()
    return {"child": isinstance(child, int), "parent": answer}


class SocketCache(BaseCache):
    """A cache with a client that keeps a connection, as memcached's do."""

    sock: socket.socket | None = None

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """Connect, on first use."""
        type(self).sock = type(self).sock or socket.create_connection(("127.0.0.1", int(key)))
        return default

    def close(self, **_: Any) -> None:
        """Disconnect."""
        if (sock := type(self).sock) is not None:
            sock.close()
            type(self).sock = None


def other_sockets() -> dict[str, Any]:
    """Close a cache's socket that can be closed; name another stranger's once, and fork all the same."""
    from django.core.cache import cache

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        cache.get(str(port))
        first = refusal()
        named_before = len(logged("socket.inherited"))
        with socket.create_connection(("127.0.0.1", port)):
            reasons = [refusal(), refusal()]
    peers = [event["peer"] for event in logged("socket.inherited")]
    return {"reasons": [first, *reasons], "closed": SocketCache.sock is None, "before": named_before, "peers": peers}


def strict_sockets() -> dict[str, Any]:
    """Refuse, under STRICT_FORK, beside a socket to a server that is no database, by the settings' name for it."""
    from django.conf import settings

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{port}/0"
        with socket.create_connection(("127.0.0.1", port)):
            reason = refusal()
        return {"reason": reason, "port": port, "then": refusal()}


def connecting_thread() -> list[str]:
    """Prepare again and again while another thread opens and closes its session: none of it is a stranger's."""
    over = threading.Event()

    def reconnect() -> None:
        while not over.is_set():
            session()
            connection.close()

    thread = threading.Thread(target=reconnect, name="reconnecting")
    thread.start()
    try:
        return sorted({refusal() for _ in range(100)})
    finally:
        over.set()
        thread.join()


def unknown_to_django() -> str:
    """Refuse beside a driver's connections, though Django itself has never connected: the settings name the server."""
    connections_of_driver = connection.copy()
    parameters = connections_of_driver.get_connection_params()
    raws = [connections_of_driver.get_new_connection(dict(parameters)) for _ in range(2)]
    reason = refusal()
    for raw in raws:
        raw.close()
    return reason


class FailingCache(SocketCache):
    """A cache that cannot be closed."""

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """Do nothing."""
        return default

    def close(self, **_: Any) -> None:
        """Fail."""
        raise OSError("no")


def failing_cache() -> str:
    """Refuse where a cache does not close."""
    from django.core.cache import cache

    cache.get("1")
    return refusal()


def logging_to_the_database() -> dict[str, Any]:
    """Close once more what a log handler opens while it is told of the preparation."""
    import structlog

    def write(_: object, __: str, event: MutableMapping[str, Any]) -> NoReturn:
        if event["event"] in ("connection.closed", "fork.prepared"):
            value_of("SELECT 1")
        raise structlog.DropEvent

    structlog.configure(processors=[write])
    session()
    reason = refusal()
    return {"reason": reason, "open": connection.connection is not None}


def from_an_event_loop() -> str:
    """Refuse in a running event loop, where Django closes nothing."""
    import asyncio

    session()

    async def fork() -> str:
        return refusal()

    return asyncio.run(fork()) + "|" + refusal()


def unconfigured_structlog() -> list[str]:
    """Log through stdlib logging where structlog is not set up."""
    import structlog

    structlog.reset_defaults()
    records: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(f"{record.levelname} {record.getMessage()}")

    logger = logging.getLogger("workerd.forksafe")
    logger.addHandler(Keep())
    logger.setLevel("INFO")
    session()
    return records


def descriptors() -> list[int]:
    """Leave no descriptor behind, prepare as often as one may."""
    session()
    forksafe.prepare_to_fork()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        session()
        forksafe.prepare_to_fork()
    return [before, len(list(Path("/proc/self/fd").iterdir()))]


def real_cache() -> dict[str, Any]:
    """Ask a real cache from the parent and from four children of two forks' preparation, each for values of its own."""
    from django.core.cache import cache

    cache.set_many({f"key-{number}": number for number in range(100)})

    def ask() -> int:
        return sum(cache.get(f"key-{number}") == number for number in range(100))

    ask()
    reasons = [refusal()]
    children = [in_child(ask), in_child(ask)]
    ask()
    reasons.append(refusal())
    children += [in_child(ask), in_child(ask)]
    return {"reasons": reasons, "children": children, "parent": ask()}

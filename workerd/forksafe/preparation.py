"""Prepares a fork: closes every connection that a child would inherit, or refuses the fork with every reason."""

import time
from dataclasses import dataclass

from django.core.cache import caches
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from workerd.conf import Settings, get_settings

from . import sessions
from .closing import close_wrapper
from .drivers import in_transaction
from .errors import UnsafeForkError
from .events import emit, flush
from .inherited import check_other_threads, check_sockets
from .installation import install
from .pools import close_pools
from .servers import learn_servers
from .threads import belongs_to_other, living_tasks, other_threads, wait_for_ended


@dataclass(frozen=True, slots=True)
class Prepared:
    """The connections and pools that prepare_to_fork() closed, by alias, and how many milliseconds it took."""

    closed: tuple[str, ...]
    pools: tuple[str, ...]
    ms: float


def prepare_to_fork() -> Prepared:
    """Close every database connection, pool and cache of this thread and of ended ones, right before a fork.

    Raises UnsafeForkError where a child would inherit a connection all the same. Inside a transaction it raises before
    it closes anything, as a close would lose the transaction. Connections of other living threads stay open: a child
    discards them, and under ``WORKERD["STRICT_FORK"]`` they are reasons to refuse.
    """
    started = time.perf_counter()
    install()
    learn_servers()
    settings = get_settings()
    _run_before_fork(settings)
    own = _own_wrappers()
    # Before anything is closed: the refusal must not cost the transaction.
    _refuse_if([_transaction_reason(wrapper) for wrapper in own if _is_in_transaction(wrapper)])
    # Before the pools are closed: that ends their threads, which wait_for_ended() must know.
    tasks = living_tasks() | _tasks_of(own)
    closed, reasons = _close_connections()
    pools, pool_reasons = close_pools()
    reasons += pool_reasons + _close_caches() + wait_for_ended(tasks)
    _refuse_if(reasons + _strict_reasons(settings) + check_sockets(strict=settings.strict_fork))
    ms = round((time.perf_counter() - started) * 1000, 2)
    emit("fork.prepared", closed=len(closed), pools=len(pools), ms=ms)
    if _own_wrappers():  # a log handler of the project has used the database for the event above
        _refuse_if(_close_connections()[1] + check_sockets(strict=settings.strict_fork))
    return Prepared(tuple(closed), tuple(pools), ms)


def _refuse_if(reasons: list[str]) -> None:
    if reasons:
        emit("fork.refused", reasons=reasons)
        raise UnsafeForkError(reasons)


def _run_before_fork(settings: Settings) -> None:
    """Run the project's callables; what they open is closed after them."""
    name = ""
    try:
        for call in settings.load_before_fork():
            name = f"{call.__module__}.{getattr(call, '__qualname__', '')} of "
            call()
    except Exception as error:  # noqa: BLE001 - the project's code: whatever it raises is the reason
        _refuse_if([f'{name}WORKERD["BEFORE_FORK"] raised {type(error).__name__}: {error}.'])


def _own_wrappers() -> list[BaseDatabaseWrapper]:
    """Return the open wrappers that may be closed: those of this thread and of ended ones."""
    # A close in the middle of another thread's query blocks for as long as the query runs, and no alarm ends that wait.
    # SQLite in memory would lose its data; the fork copies it.
    return [
        wrapper
        for wrapper in sessions.open_wrappers()
        if not belongs_to_other(wrapper) and not sessions.is_in_memory(wrapper)
    ]


def _tasks_of(wrappers: list[BaseDatabaseWrapper]) -> set[int]:
    """Return the task ids of the ended threads that opened one of these connections."""
    opened = [session for session in map(sessions.session_of, wrappers) if session is not None]
    return {session.task for session in opened if session.task is not None and not session.is_this_threads}


def _is_in_transaction(wrapper: BaseDatabaseWrapper) -> bool:
    session = sessions.session_of(wrapper)
    if session is not None and not session.is_this_threads:
        return False  # the thread has ended, so nobody will ever commit it
    if wrapper.in_atomic_block:
        return True
    inside = in_transaction(wrapper.connection)
    if inside is None:  # mysqlclient cannot tell: with autocommit off a transaction may be open
        return not wrapper.autocommit
    return inside or (not wrapper.autocommit and bool(wrapper.settings_dict["AUTOCOMMIT"]))


def _transaction_reason(wrapper: BaseDatabaseWrapper) -> str:
    return (
        f"A transaction is open on database {wrapper.alias!r}, and to close the connection would silently lose it: "
        "fork outside of atomic(), and with autocommit on."
    )


def _close_connections() -> tuple[list[str], list[str]]:
    closed, reasons = [], []
    for wrapper in _own_wrappers():
        if reason := close_wrapper(wrapper):
            reasons.append(reason)
        closed.append(wrapper.alias)
    try:
        connections.close_all()
    except Exception as error:  # noqa: BLE001 - each wrapper was closed above; an error counts only where one is left open
        reasons += [f"{type(error).__name__}: {error}" for _ in _own_wrappers()[:1]]
    flush()
    return closed, reasons


def _close_caches() -> list[str]:
    reasons = []
    for cache in caches.all(initialized_only=True):
        try:
            cache.close()
        except Exception as error:  # noqa: BLE001 - each cache client has its own errors
            reasons.append(f"A cache ({type(cache).__name__}) could not be closed: {type(error).__name__}: {error}.")
    if not reasons:
        caches.close_all()
    return reasons


def _strict_reasons(settings: Settings) -> list[str]:
    """Return the other living threads, and the connections that they hold, as reasons where STRICT_FORK is on."""
    held = check_other_threads()  # also warns of each connection, with STRICT_FORK off, too
    if not settings.strict_fork:
        return []
    names = ", ".join(sorted(repr(thread.name) for thread in other_threads()))
    threads = [f'WORKERD["STRICT_FORK"] is on and other threads are alive: {names}.'] if names else []
    return threads + held

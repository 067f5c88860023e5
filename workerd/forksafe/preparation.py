"""The preparation of a fork: closes all that a child must not inherit, or refuses with every reason."""

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
from .inherited import look_at_sockets, name_other_threads
from .installation import install
from .pools import close_pools
from .threads import belongs_to_other, living_tasks, other_threads, wait_for_ended


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was closed, by alias, and how long it took."""

    closed: tuple[str, ...]
    pools: tuple[str, ...]
    ms: float


def prepare_to_fork() -> Prepared:
    """Close every database connection, pool and cache of this thread and of ended ones, right before a fork.

    Raises UnsafeForkError with the reasons where a child would inherit a connection all the same, or where closing
    would lose a transaction; then nothing of that transaction has been touched. Other living threads keep theirs.
    """
    started = time.perf_counter()
    install()
    settings = get_settings()
    _run_before_fork(settings)
    own = _own_wrappers()
    _refuse_if([_transaction_reason(one) for one in own if _is_in_transaction(one)])
    tasks = living_tasks() | _tasks_of(own)
    closed, reasons = _close_connections()
    pools, pool_reasons = close_pools()
    reasons += pool_reasons + _close_caches() + wait_for_ended(tasks)
    _refuse_if(reasons + _strict_reasons(settings) + look_at_sockets())
    ms = round((time.perf_counter() - started) * 1000, 2)
    emit("fork.prepared", closed=len(closed), pools=len(pools), ms=ms)
    if _own_wrappers():  # a log handler of the project's used the database just now
        _refuse_if(_close_connections()[1] + look_at_sockets())
    return Prepared(tuple(closed), tuple(pools), ms)


def _refuse_if(reasons: list[str]) -> None:
    if reasons:
        emit("fork.refused", reasons=reasons)
        raise UnsafeForkError(reasons)


def _run_before_fork(settings: Settings) -> None:
    """Run the project's callables first, as what they open must be closed too."""
    name = ""
    try:
        for call in settings.load_before_fork():
            name = f"{call.__module__}.{getattr(call, '__qualname__', '')} of "
            call()
    except Exception as error:  # noqa: BLE001 - the project's own code: what it raises is the reason
        _refuse_if([f'{name}WORKERD["BEFORE_FORK"] raised {type(error).__name__}: {error}.'])


def _own_wrappers() -> list[BaseDatabaseWrapper]:
    """Return the open wrappers that may be closed: this thread's, and those that ended threads left behind."""
    return [one for one in sessions.open_wrappers() if not belongs_to_other(one) and not sessions.is_in_memory(one)]


def _tasks_of(wrappers: list[BaseDatabaseWrapper]) -> set[int]:
    """Return the kernel's numbers of the ended threads that left one of these."""
    notes = [sessions.session_of(one) for one in wrappers]
    return {one.task for one in notes if one is not None and one.task is not None and not one.is_this_threads}


def _is_in_transaction(wrapper: BaseDatabaseWrapper) -> bool:
    session = sessions.session_of(wrapper)
    if session is not None and not session.is_this_threads:
        return False  # its thread ended, so nobody will ever commit it
    if wrapper.in_atomic_block:
        return True
    inside = in_transaction(wrapper.connection)
    if inside is None:  # mysqlclient cannot tell: with autocommit off there may be one
        return not wrapper.autocommit
    return inside or (not wrapper.autocommit and bool(wrapper.settings_dict["AUTOCOMMIT"]))


def _transaction_reason(wrapper: BaseDatabaseWrapper) -> str:
    return (
        f"A transaction is open on database {wrapper.alias!r}, and closing the connection would silently lose it: "
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
    except Exception as error:  # noqa: BLE001 - of a wrapper closed above; only one left open counts
        reasons += [f"{type(error).__name__}: {error}" for _ in _own_wrappers()[:1]]
    flush()
    return closed, reasons


def _close_caches() -> list[str]:
    reasons = []
    for cache in caches.all(initialized_only=True):
        try:
            cache.close()
        except Exception as error:  # noqa: BLE001 - each cache's client has its own errors
            reasons.append(f"A cache ({type(cache).__name__}) could not be closed: {type(error).__name__}: {error}.")
    if not reasons:
        caches.close_all()
    return reasons


def _strict_reasons(settings: Settings) -> list[str]:
    """Name what other living threads hold, once; under STRICT_FORK it refuses the fork, as those threads do."""
    held = name_other_threads()
    if not settings.strict_fork:
        return []
    names = ", ".join(sorted(repr(one.name) for one in other_threads()))
    threads = [f'WORKERD["STRICT_FORK"] is on and other threads are alive: {names}.'] if names else []
    return threads + held

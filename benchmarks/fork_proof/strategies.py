"""What people do about database connections and fork(): one class each, what it is in a sentence, where it acts."""

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, connections

LOCK_WITHIN_S = 1.5


class Strategy:
    """Nothing is done at all."""

    name = "nothing"

    def at_boot(self) -> None:
        """Run in the parent before the first fork."""

    def before_fork(self) -> None:
        """Run in the parent before every fork."""

    def in_child(self) -> None:
        """Run in the child first of all."""

    @contextlib.contextmanager
    def cursor(self) -> Iterator[Any]:
        """Give what parent and children ask their questions with."""
        with connection.cursor() as cursor:
            yield cursor


class SetToNone(Strategy):
    """The child sets `connection.connection = None`, to have Django open another one."""

    name = "connection = None"

    def in_child(self) -> None:
        connections["default"].connection = None


class TemporaryConnection(Strategy):
    """The child asks in `with connection.temporary_connection()`."""

    name = "temporary_connection()"

    def __init__(self) -> None:
        self.is_child = False

    def in_child(self) -> None:
        self.is_child = True

    @contextlib.contextmanager
    def cursor(self) -> Iterator[Any]:
        with connection.temporary_connection() if self.is_child else connection.cursor() as cursor:
            yield cursor


class Lock(Strategy):
    """Parent and children take a `multiprocessing.Lock` around every query."""

    name = "a lock"

    def __init__(self) -> None:
        self.lock = multiprocessing.get_context("fork").Lock()

    @contextlib.contextmanager
    def cursor(self) -> Iterator[Any]:
        if not self.lock.acquire(timeout=LOCK_WITHIN_S):
            raise TimeoutError("the lock is held by a process that is not there any more")
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            self.lock.release()


class CloseAllAtBoot(Strategy):
    """The parent calls `connections.close_all()` once, before the first fork."""

    name = "close_all() at boot"

    def at_boot(self) -> None:
        connections.close_all()


class CloseAllInChild(Strategy):
    """The child calls `connections.close_all()` first of all."""

    name = "close_all() in the child"

    def in_child(self) -> None:
        connections.close_all()


class CloseAllBeforeFork(Strategy):
    """The parent calls `connections.close_all()` before every fork."""

    name = "close_all() before every fork"

    def before_fork(self) -> None:
        connections.close_all()


class InstallAlone(Strategy):
    """`workerd.forksafe.install()`, and not a word more."""

    name = "install() alone"

    def at_boot(self) -> None:
        from workerd import forksafe

        forksafe.install()


class PrepareToFork(InstallAlone):
    """`workerd.forksafe.prepare_to_fork()` before every fork."""

    name = "prepare_to_fork()"

    def before_fork(self) -> None:
        from workerd import forksafe

        forksafe.prepare_to_fork()


_ALL: tuple[Callable[[], Strategy], ...] = (
    Strategy,
    SetToNone,
    TemporaryConnection,
    Lock,
    CloseAllAtBoot,
    CloseAllInChild,
    CloseAllBeforeFork,
    InstallAlone,
    PrepareToFork,
)
STRATEGIES: dict[str, Callable[[], Strategy]] = {getattr(strategy, "name"): strategy for strategy in _ALL}  # noqa: B009 - of a class

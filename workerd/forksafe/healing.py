"""Gets rid of connections on which the server does not answer any more, so that a loop that swallows errors heals."""

from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from .lifecycle import ClosingFor

_on = False


def heal_connections() -> None:
    """From now on, in this process and its forks, try a connection that met an error before it is used again."""
    global _on
    _on = True


def heal_before_use(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the hook for ``ensure_connection``, which every query passes."""

    def ensure_connection(self: BaseDatabaseWrapper) -> None:
        if _on and self.errors_occurred and self.connection is not None and not is_in_transaction(self):
            drop_if_unusable(self, "unusable")
            self.errors_occurred = False
        original(self)

    return ensure_connection


def drop_if_unusable(wrapper: BaseDatabaseWrapper, reason: str) -> bool:
    """Close the wrapper's connection if the server does not answer on it; its pool then tries the others it holds."""
    if wrapper.is_usable():
        return False
    pool = getattr(wrapper.connection, "_pool", None)
    with ClosingFor(wrapper, reason):
        wrapper.close()
    if pool is not None and hasattr(pool, "check"):
        pool.check()
    return True


def is_in_transaction(wrapper: BaseDatabaseWrapper) -> bool:
    """Return whether work may hang on the wrapper's connection, as Django sees it."""
    return wrapper.in_atomic_block or wrapper.autocommit != wrapper.settings_dict["AUTOCOMMIT"]

"""The errors of forksafe: a fork that is not safe, and a connection that crossed a fork."""

from collections.abc import Sequence

from django.db.utils import InterfaceError

from workerd.errors import WorkerdError


class UnsafeForkError(WorkerdError):
    """A fork would let a child inherit a connection; nothing was forked.

    ``reasons`` is a tuple of sentences, one for each thing to put right before the fork.
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("It is not safe to fork now: " + " ".join(self.reasons))

    def __reduce__(self) -> tuple[type["UnsafeForkError"], tuple[tuple[str, ...]]]:
        return type(self), (self.reasons,)


class ForkedConnectionError(WorkerdError, InterfaceError):
    """A connection was used in a process that did not open it.

    ``alias`` is the database's, ``session`` the server's number of the session or None, ``opened_by`` and ``used_by``
    are pids. Raised before any byte is sent.
    """

    def __init__(self, alias: str, session: int | None, opened_by: int, used_by: int) -> None:
        self.alias = alias
        self.session = session
        self.opened_by = opened_by
        self.used_by = used_by
        number = "" if session is None else f" (server session {session})"
        super().__init__(
            f"Database connection {alias!r}{number} was opened in process {opened_by} and inherited by a fork into "
            f"process {used_by}, so its answers would be mixed up. Close it in the parent before it forks: "
            "workerd.forksafe.prepare_to_fork() does."
        )

    def __reduce__(self) -> tuple[type["ForkedConnectionError"], tuple[str, int | None, int, int]]:
        return type(self), (self.alias, self.session, self.opened_by, self.used_by)

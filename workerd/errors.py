"""The base of every exception class of workerd. The daemon imports it, so it needs nothing."""


class WorkerdError(Exception):
    """An error that workerd itself raises."""


class SeatLostError(WorkerdError):
    """The process may not go on with its job: another node has its seat of the fleet, or may have it."""

    def __init__(self, slot: str, token: int, why: str) -> None:
        self.slot = slot
        self.token = token
        super().__init__(
            f"{slot} has lost its seat (token {token}): {why}. "
            "Let this error end the job: another process does its work."
        )


class NestedFenceError(WorkerdError):
    """``context.fenced()`` was called inside a transaction."""

    def __init__(self, alias: str) -> None:
        super().__init__(
            f"context.fenced() was called inside a transaction on the database “{alias}”: its comparison of the token "
            "would not be the last statement before the commit. Make fenced() the outermost block; atomic() may stand "
            "inside it."
        )

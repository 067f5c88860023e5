"""A broker or a database that is away, as a consumer meets it: it waits, beats and says so."""

import logging
import time
from types import TracebackType

from workerd.child.context import JobContext

SAYS_EVERY_S = 10.0
log = logging.getLogger(__name__)


class Outage:
    """Means that ``name`` is away, as any of ``errors`` does.

    A block ``with outage:`` ends at such an error, and raises nothing: the loop around it waits a little, and tries
    again until the consumer is to stop.
    """

    def __init__(self, context: JobContext, name: str, *errors: type[Exception]) -> None:
        self._context = context
        self._name = name
        self._errors = errors
        self._silent_until = 0.0

    def __enter__(self) -> None:
        """Begin what may fail."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: TracebackType | None) -> bool:
        if not isinstance(error, self._errors):
            return False
        self.goes_on(error)
        return True

    def goes_on(self, error: BaseException | None) -> None:
        """Beat, and say so, but not at each try: there may be one a second, for hours."""
        self._context.beat()
        if (now := time.monotonic()) >= self._silent_until:
            self._silent_until = now + SAYS_EVERY_S
            log.warning("%s is away: %s", self._name, error)

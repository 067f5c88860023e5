"""The loads of the project's code: how each begins, when a failed one is tried again, and who asked for which."""

from collections.abc import Callable, Iterable

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop, Timer
from workerd.wire.backoff import Backoff
from workerd.wire.config import DaemonConfig

from .forkserver import Forkserver, Listener, Present

RETRY_INITIAL_S = 0.5
RETRY_MAX_S = 30.0
HURRIED_S = 10.0
"""A load for whose successor somebody waits has so long, or twice as long as the last one took: then it hangs."""

Result = Callable[[str], None]
"""Called with why the next generation was rejected, or with "" when it has taken over."""


class Loading:
    """Starts forkservers, each with the next number, and keeps who waits for which of them."""

    def __init__(
        self, loop: Loop, log: EventLog, config: DaemonConfig, limits: tuple[int, int], listener: Listener
    ) -> None:
        self._loop = loop
        self._log = log
        self._config = config
        self._limits = limits
        self._listener = listener
        self.number = 0
        """Of the newest load, whatever came of it."""
        self._results: dict[Forkserver, list[Result]] = {}
        """By the forkserver that loads for them: those who asked for a reload."""
        self._later: list[Result] = []
        """Those who asked while a load was under way, which may have read older code: they get a load of their own."""
        self._retry: Timer | None = None
        self._backoff = Backoff(RETRY_INITIAL_S, RETRY_MAX_S)
        self._load_s = 0.0
        """How long the last load took that ended well."""

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for a load after the one that is under way."""
        return bool(self._later)

    def begin(self, present: Present | None = None) -> Forkserver:
        """Start the forkserver of the next number. Raises OSError where it cannot be started."""
        self.number += 1
        return Forkserver(self._loop, self._log, self._config, self._limits, self.number, self._listener, present)

    # those who ask

    def ask(self, on_result: Result, known: Iterable[Forkserver | None]) -> None:
        """Take who asks for a load; one of ``known`` that is under way, and may hang, has less time now."""
        self._later.append(on_result)
        for forkserver in known:
            if forkserver is not None and not forkserver.ready:
                forkserver.hurry(max(HURRIED_S, 2 * self._load_s))

    def is_for(self, forkserver: Forkserver) -> None:
        """Have all who wait be told what comes of ``forkserver``."""
        self._results[forkserver], self._later = self._later, []

    def was_asked_for(self, forkserver: Forkserver) -> bool:
        """Return whether somebody waits for what comes of ``forkserver``."""
        return bool(self._results.get(forkserver))

    def tell(self, forkserver: Forkserver, reason: str) -> None:
        """Tell who waits for ``forkserver`` what came of it."""
        for result in self._results.pop(forkserver, []):
            result(reason)

    def refuse(self, reason: str) -> None:
        """Tell all who wait for a load why there is none."""
        results, self._later = self._later, []
        for result in results:
            result(reason)

    # tries

    def succeeded(self, forkserver: Forkserver) -> None:
        """Note that a load has ended well: after the first failure of a healthy one there is no delay."""
        self._backoff.reset(at_once=True)
        self._load_s = forkserver.load_s

    def try_again(self, start: Callable[[], None]) -> float:
        """Call ``start`` after the backoff, or at once where somebody asks for a load; return the delay."""
        if self._later:
            self._backoff.reset(at_once=True)
        delay = self._backoff.next()
        self._retry = self._loop.call_in(delay, start)
        return delay

    def cancel_retry(self) -> None:
        """Do not try again."""
        if self._retry is not None:
            self._retry.cancel()

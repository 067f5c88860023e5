"""The generations of the project's code: the one that gives birth, the next while it loads, those that end."""

from collections.abc import Callable, Iterable

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop, Timer
from workerd.daemon.rules.outcome import ExitStatus
from workerd.wire.config import DaemonConfig

from .forkserver import Forkserver, Listener

RETRY_INITIAL_S = 0.5
RETRY_MAX_S = 30.0

Result = Callable[[str], None]
"""Called with why the next generation was rejected, or with nothing when it has taken over."""


class Generations:
    """A crashed forkserver is started again with backoff; a reload keeps the old one until the new one is ready."""

    def __init__(
        self,
        loop: Loop,
        log: EventLog,
        config: DaemonConfig,
        limits: tuple[int, int],
        on_birth_failed: Callable[[int, str], None],
    ) -> None:
        self._loop = loop
        self._log = log
        self._config = config
        self._limits = limits
        self._listener = Listener(self._is_ready, self._is_rejected, on_birth_failed)
        self._current: Forkserver | None = None
        self._next: Forkserver | None = None
        self._ending: set[Forkserver] = set()
        self._results: list[Result] = []
        self._later: list[Result] = []
        """Of who asked while a load was under way: that may have read the code as it was before."""
        self._retry: Timer | None = None
        self._retry_s = RETRY_INITIAL_S
        self._closed = False
        self.on_ready: Callable[[bool], None] = lambda _replaced: None
        """Called when a generation gives birth; with True where it has replaced another."""
        self.on_trouble: Callable[[], None] = lambda: None
        """Called when there is ``trouble``, or another one."""
        self.number = 0
        self.trouble = ""
        """Why nobody gives birth: what became of the last attempt; nothing where it has not failed."""

    @property
    def current(self) -> Forkserver | None:
        """The forkserver that gives birth, None while there is none."""
        return self._current if self._current is not None and self._current.ready else None

    def obstacle(self) -> str:
        """Why nobody is born now; nothing where the next birth only has to be asked for."""
        return "" if self.current is not None else self.trouble or "the project's code is being loaded"

    def processes(self) -> Iterable[Forkserver]:
        """Every forkserver that is not reaped yet."""
        return (one for one in (self._current, self._next, *self._ending) if one is not None)

    def find(self, pid: int) -> Forkserver | None:
        """Return the forkserver of this pid."""
        return next((one for one in self.processes() if one.pid == pid), None)

    def start(self) -> None:
        """Start the first generation, or the next attempt at one."""
        self._retry = None
        if self._current is not None or self._next is not None or self._closed:
            return
        self._take_up_later()
        try:
            self._current = self._load()
        except OSError as error:
            reason = f"no forkserver could be started: {error}"
            self._log.emit("daemon.degraded", reason=reason)
            self._is_in_trouble(reason)
            self._try_again()

    def reload(self, on_result: Result) -> None:
        """Load the code anew; who asks while a load goes on, which may have read older code, gets one after it."""
        self._later.append(on_result)
        if self._next is not None:
            return
        if self._current is None:  # there is none to keep: do not wait for the backoff either
            if self._retry is not None:
                self._retry.cancel()
            self.start()
        elif self._current.ready:
            self._load_next()

    def _take_up_later(self) -> None:
        self._results += self._later
        self._later.clear()

    def _load_next(self) -> None:
        self._take_up_later()
        try:
            self._next = self._load()
        except OSError as error:
            self._tell(f"no forkserver could be started: {error}")

    def suspect(self) -> None:
        """A birth is overdue: a forkserver that hangs is killed, and another one started."""
        if (one := self.current) is not None:
            one.kill()

    def close(self) -> None:
        """Let all of them end."""
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        for one in self.processes():
            one.stop()

    def kill(self) -> None:
        """Kill what has not ended."""
        for one in tuple(self.processes()):
            one.kill()

    def reaped(self, one: Forkserver, end: ExitStatus) -> None:
        """A forkserver has ended."""
        one.bury(end)
        self._ending.discard(one)
        if self._next is one:
            self._next = None
        if self._current is one:
            self._current = None
            if not self._closed:
                self._start_again(one, end)

    def _load(self) -> Forkserver:
        self.number += 1
        return Forkserver(self._loop, self._log, self._config, self._limits, self.number, self._listener)

    def _start_again(self, one: Forkserver, end: ExitStatus) -> None:
        self._hurry()
        self._log.emit(
            "forkserver.exited",
            generation=one.generation,
            forkserver_pid=one.pid,
            exit_code=end.code,
            signal=end.signal_name,
            retry_s=self._retry_s,
        )
        self._try_again()

    def _hurry(self) -> None:
        """Who asks for a load does not wait for the backoff."""
        if self._later:
            self._retry_s = 0.0

    def _try_again(self) -> None:
        self._hurry()
        self._retry = self._loop.call_in(self._retry_s, self.start)
        self._retry_s = min(max(self._retry_s * 2, RETRY_INITIAL_S), RETRY_MAX_S)

    def _is_ready(self, one: Forkserver) -> None:
        self._retry_s = 0.0  # the first failure after a healthy life: at once
        self.trouble = ""
        replaced = one is self._next
        if replaced:
            if self._current is not None:
                self._current.stop()
                self._ending.add(self._current)
            self._current, self._next = one, None
        self.on_ready(replaced)
        self._tell("")

    def _is_rejected(self, one: Forkserver, reason: str) -> None:
        if one is self._next:
            self._next = None
            self._ending.add(one)
        if self._current is None or self._current is one:
            self._is_in_trouble(one.rejection.partition("\n")[0])
        if self._current is None:  # it has ended meanwhile, and this one was to take its place
            self._try_again()
        self._tell(reason)

    def _is_in_trouble(self, reason: str) -> None:
        self.trouble = reason
        self.on_trouble()

    def _tell(self, reason: str) -> None:
        results, self._results = self._results, []
        for result in results:
            result(reason)
        if self._later and self.current is not None and self._next is None:
            self._load_next()

"""The generations of the project's code: the one that starts processes, the next while it loads, those that end."""

from collections.abc import Callable, Iterable

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop, Timer
from workerd.daemon.rules.outcome import ExitStatus
from workerd.wire.backoff import Backoff
from workerd.wire.config import DaemonConfig

from .forkserver import Forkserver, Listener

RETRY_INITIAL_S = 0.5
RETRY_MAX_S = 30.0

Result = Callable[[str], None]
"""Called with why the next generation was rejected, or with "" when it has taken over."""


class Generations:
    """Starts a crashed forkserver again, with backoff; at a reload keeps the old one until the new one is ready."""

    def __init__(self, loop: Loop, log: EventLog, config: DaemonConfig, limits: tuple[int, int]) -> None:
        self._loop = loop
        self._log = log
        self._config = config
        self._limits = limits
        self._current: Forkserver | None = None
        self._next: Forkserver | None = None
        self._ending: set[Forkserver] = set()
        self._results: list[Result] = []
        self._later: list[Result] = []
        """Those who asked while a load was under way, which may have read older code: they get a load of their own."""
        self._retry: Timer | None = None
        self._backoff = Backoff(RETRY_INITIAL_S, RETRY_MAX_S)
        self._closed = False
        self.on_ready: Listeners[[bool]] = Listeners()
        """Told when a generation can start processes; with True where it has replaced another."""
        self.on_trouble: Listeners[[]] = Listeners()
        """Told when ``trouble`` has changed."""
        self.on_birth_failed: Listeners[[int, str]] = Listeners()
        """Told of the number of a birth that came to nothing, and why."""
        self.number = 0
        self.trouble = ""
        """Why no process can be started: what became of the last attempt; "" where it has not failed."""
        self._listener = Listener(self._is_ready, self._is_rejected, self.on_birth_failed)

    @property
    def current(self) -> Forkserver | None:
        """The forkserver that starts processes, None while there is none."""
        return self._current if self._current is not None and self._current.ready else None

    def obstacle(self) -> str:
        """Return why no process can be started now; "" where one only has to be asked for."""
        return "" if self.current is not None else self.trouble or "the project's code is being loaded"

    def processes(self) -> Iterable[Forkserver]:
        """Every forkserver that is not reaped yet."""
        return (known for known in (self._current, self._next, *self._ending) if known is not None)

    def find(self, pid: int) -> Forkserver | None:
        """Return the forkserver of this pid."""
        return next((forkserver for forkserver in self.processes() if forkserver.pid == pid), None)

    def start(self) -> None:
        """Start the first generation, or the next attempt at one."""
        self._retry = None
        if self._current is not None or self._next is not None or self._closed:
            return
        self._take_up_later()
        try:
            self._current = self._load()
        except OSError as error:
            self._log.emit("forkserver.failed", generation=self.number, reason=str(error))
            self._is_in_trouble(f"the forkserver could not be started: {error}")
            self._try_again()

    def reload(self, on_result: Result) -> None:
        """Load the code anew, after the load that is under way: that one may have read older code."""
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
            self._tell(f"the forkserver could not be started: {error}")

    def suspect(self) -> None:
        """Kill the forkserver, which has kept a birth waiting too long; another one is started."""
        if (forkserver := self.current) is not None:
            forkserver.kill()

    def close(self) -> None:
        """Have every forkserver end."""
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        for forkserver in self.processes():
            forkserver.stop()

    def kill(self) -> None:
        """Kill every forkserver that has not ended."""
        for forkserver in tuple(self.processes()):
            forkserver.kill()

    def reaped(self, forkserver: Forkserver, end: ExitStatus) -> None:
        """Forget a forkserver that has ended; the current one is started again."""
        forkserver.bury(end)
        self._ending.discard(forkserver)
        if self._next is forkserver:
            self._next = None
        if self._current is forkserver:
            self._current = None
            if not self._closed:
                self._start_again(forkserver, end)

    def _load(self) -> Forkserver:
        self.number += 1
        return Forkserver(self._loop, self._log, self._config, self._limits, self.number, self._listener)

    def _start_again(self, ended: Forkserver, end: ExitStatus) -> None:
        delay = self._try_again()
        self._log.emit(
            "forkserver.exited",
            generation=ended.generation,
            forkserver_pid=ended.pid,
            exit_code=end.code,
            signal=end.signal_name,
            retry_s=delay,
        )

    def _try_again(self) -> float:
        """Start a forkserver after the backoff, or at once where somebody asks for a load; return the delay."""
        if self._later:
            self._backoff.reset(at_once=True)
        delay = self._backoff.next()
        self._retry = self._loop.call_in(delay, self.start)
        return delay

    def _is_ready(self, forkserver: Forkserver) -> None:
        self._backoff.reset(at_once=True)  # after the first failure of a healthy one there is no delay
        self.trouble = ""
        replaced = forkserver is self._next
        if replaced:
            if self._current is not None:
                self._current.stop()
                self._ending.add(self._current)
            self._current, self._next = forkserver, None
        self.on_ready(replaced)
        self._tell("")

    def _is_rejected(self, forkserver: Forkserver, reason: str) -> None:
        if forkserver is self._next:
            self._next = None
            self._ending.add(forkserver)
        if self._current is None or self._current is forkserver:
            self._is_in_trouble(forkserver.rejection.partition("\n")[0])
        if self._current is None:  # the current one has ended meanwhile, and this one was to take its place
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

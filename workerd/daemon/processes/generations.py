"""The generations of the project's code: the newest, the former one during a rollout, the next while it loads."""

from collections.abc import Callable, Iterable

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.rules.outcome import ExitStatus
from workerd.wire.config import DaemonConfig
from workerd.wire.reasons import Reason
from workerd.wire.spec import JobSpec

from .forkserver import Forkserver, Listener, Present
from .loading import Loading, Result

END_PATIENCE_S = 5.0
"""A forkserver that is let go and has not ended by then is killed: it is stopped, or hangs in the project's code."""
MOST_JOBS = 1000
"""The most jobs that a new generation has to load before it is accepted; a rollout halts where another one fails."""


class Generations:
    """Starts a crashed forkserver again, with backoff; at a reload keeps the old one until the new one is ready.

    The code on the disk may be newer than what a forkserver has loaded. So the one that a new generation replaces stays
    as ``former``, with the old code in its memory, until ``release_former``.
    """

    def __init__(self, loop: Loop, log: EventLog, config: DaemonConfig, limits: tuple[int, int]) -> None:
        self._loop = loop
        self._log = log
        self._current: Forkserver | None = None
        self._former: Forkserver | None = None
        self._next: Forkserver | None = None
        self._ending: set[Forkserver] = set()
        self._closed = False
        self.on_ready: Listeners[[bool]] = Listeners()
        """Told when a generation can start processes; with True where no process may have older code from now on."""
        self.on_trouble: Listeners[[]] = Listeners()
        """Told when ``trouble`` has changed."""
        self.on_rejected: Listeners[[str]] = Listeners()
        """Told why a load came to nothing."""
        self.on_birth_failed: Listeners[[int, str]] = Listeners()
        """Told of the number of a birth that came to nothing, and why."""
        self.sound_jobs: Callable[[], Iterable[JobSpec]] = lambda: ()
        """The jobs that a generation has to load where it is to replace the current one."""
        self.trouble = ""
        """Why no process can be started: what became of the last attempt; "" where it has not failed."""
        self.rejected = False
        """Whether the newest load that has come to an end was rejected."""
        listener = Listener(self._is_ready, self._is_rejected, self.on_birth_failed)
        self._loading = Loading(loop, log, config, limits, listener)

    @property
    def number(self) -> int:
        """The number of the newest load, whatever came of it."""
        return self._loading.number

    @property
    def current(self) -> Forkserver | None:
        """The forkserver that starts processes, None while there is none."""
        return self._current if self._current is not None and self._current.ready else None

    @property
    def former(self) -> Forkserver | None:
        """The forkserver with the code that slots run which have not moved yet, None where there is none."""
        return self._former if self._former is not None and self._former.ready else None

    @property
    def loading(self) -> int:
        """The number of the generation that loads and is to replace the current one, 0 where none does."""
        return self._next.generation if self._next is not None else 0

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for a load after the one that is under way."""
        return self._loading.awaited

    def obstacle(self) -> str:
        """Return why no process can be started now; "" where one only has to be asked for."""
        if self.current is not None or self.trouble:
            return self.trouble if self.current is None else ""
        if self._current is None:
            return Reason("the forkserver is not started yet")
        return Reason(f"the project's code is being loaded (pid {self._current.pid})")

    def processes(self) -> Iterable[Forkserver]:
        """Every forkserver that is not reaped yet."""
        known = (self._former, self._current, self._next, *self._ending)
        return (forkserver for forkserver in known if forkserver is not None)

    def find(self, pid: int) -> Forkserver | None:
        """Return the forkserver of this pid."""
        return next((forkserver for forkserver in self.processes() if forkserver.pid == pid), None)

    # loading

    def start(self) -> None:
        """Start the first generation, or the next attempt at one, also while a reload loads: that one may hang."""
        if self._current is not None or self._closed:
            return
        try:
            self._current = self._loading.begin()
        except OSError as error:
            self._log.emit("forkserver.failed", generation=self.number, reason=str(error))
            self._is_in_trouble(Reason(f"the forkserver could not be started: {error}"))
            self._loading.try_again(self.start)
            return
        if self._next is None:
            self._loading.is_for(self._current)

    def reload(self, on_result: Result) -> None:
        """Load the code anew, after the load that is under way: that one may have read older code, and may hang."""
        self._loading.ask(on_result, (self._next, self._current))
        if self._next is not None:
            return
        if self._current is None:  # there is none to keep: do not wait for the backoff either
            self._loading.cancel_retry()
            self.start()
        elif self._current.ready:
            self._load_next()

    def _load_next(self) -> None:
        try:
            assert self._current is not None
            self._next = self._loading.begin(Present(list(self.sound_jobs())[:MOST_JOBS], self._current.unsound))
        except OSError as error:
            self._loading.refuse(f"the forkserver could not be started: {error}")
            self._load_if_awaited()
        else:
            self._loading.is_for(self._next)

    def _load_if_awaited(self) -> None:
        """Load again for those who asked while a load was under way."""
        if self._loading.awaited and self.current is not None and self._next is None:
            self._load_next()

    # ending

    def go_back(self) -> None:
        """Have the former generation start every process again; the newest one becomes the former."""
        assert self.former is not None, "there is no former generation to go back to"
        self._current, self._former = self._former, self._current
        self.trouble = ""
        self._loading.cancel_retry()
        self.on_ready(True)

    def release_former(self) -> None:
        """Have the former generation end: no slot runs its code any more."""
        former, self._former = self._former, None
        self._let_go(former)

    def suspect(self, generation: int) -> None:
        """Kill a forkserver that has kept a birth waiting too long; where it is the current one, another is started."""
        for forkserver in (self.current, self.former):
            if forkserver is not None and forkserver.generation == generation:
                forkserver.kill()

    def close(self) -> None:
        """Have every forkserver end."""
        self._closed = True
        self._loading.cancel_retry()
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
        if self._former is forkserver:
            self._former = None
            if not self._closed:
                self._say_exited(forkserver, end, None)
        if self._current is forkserver:
            self._current = None
            if not self._closed:
                self._start_again(forkserver, end)

    def _let_go(self, forkserver: Forkserver | None) -> None:
        if forkserver is None:
            return
        forkserver.stop()
        self._ending.add(forkserver)

        def kill() -> None:
            if forkserver in self._ending:
                forkserver.kill()

        self._loop.call_in(END_PATIENCE_S, kill)

    def _start_again(self, ended: Forkserver, end: ExitStatus) -> None:
        delay = self._loading.try_again(self.start)
        self._say_exited(ended, end, delay)
        if not ended.rejection:
            how = end.signal_name or f"exit code {end.code}"
            self._is_in_trouble(Reason(f"the forkserver has ended ({how}), and another one loads the project's code"))

    def _say_exited(self, ended: Forkserver, end: ExitStatus, retry_s: float | None) -> None:
        self._log.emit(
            "forkserver.exited",
            generation=ended.generation,
            forkserver_pid=ended.pid,
            exit_code=end.code,
            signal=end.signal_name,
            retry_s=retry_s,
        )

    # news from a forkserver

    def _is_ready(self, forkserver: Forkserver) -> None:
        self._loading.succeeded(forkserver)
        self.trouble, self.rejected = "", False
        # Without a forkserver to replace there may still be spares with the code before.
        replaces = forkserver is self._next or self._loading.was_asked_for(forkserver)
        if forkserver is self._next:
            self._replace_by(forkserver)
        self.on_ready(replaces)
        self._tell(forkserver, "")

    def _replace_by(self, forkserver: Forkserver) -> None:
        """Keep the generation that is replaced; of two, the older one, whose code every job was seen to run."""
        kept = self.former or self.current
        for replaced in (self._former, self._current):
            if replaced is not kept:
                self._let_go(replaced)
        self._former, self._current, self._next = kept, forkserver, None
        self._loading.cancel_retry()

    def _is_rejected(self, forkserver: Forkserver, reason: str) -> None:
        self.rejected = True
        if forkserver is self._next:
            self._next = None
            self._let_go(forkserver)
        if self._current is None or self._current is forkserver:
            rejection = forkserver.rejection
            self._is_in_trouble(Reason(rejection.partition("\n")[0], rejection.public))
        self.on_rejected(Reason(forkserver.rejection.partition("\n")[0], forkserver.rejection.public))
        self._tell(forkserver, reason)

    def _is_in_trouble(self, reason: Reason) -> None:
        self.trouble = reason
        self.on_trouble()

    def _tell(self, forkserver: Forkserver, reason: str) -> None:
        self._loading.tell(forkserver, reason)
        self._load_if_awaited()

"""The parts that a run has in a test, and what they tell at its end (``Bench``)."""

import asyncio
import signal
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from workerd.child.beats import Beats
from workerd.child.context import JobContext
from workerd.child.run import JobRun
from workerd.wire import exit_codes
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome, slot_name

from .clock import Clock
from .failures import OutOfTime, StopIgnoredError
from .logs import Logs
from .recorders import RecordingPage, RecordingSender
from .result import Result
from .runtime import TurnRuntime
from .seat import TestedSeat
from .stopping import TimedStopRequest


@dataclass(frozen=True, slots=True)
class TestedRun(JobRun):
    """A run that keeps what has ended the job's code, in place of telling it."""

    caught: list[BaseException] = field(default_factory=list)

    def report(self, error: BaseException) -> None:
        self.caught.append(error)


class Bench:
    """One run: ``run`` is what the child's code runs."""

    def __init__(
        self,
        spec: JobSpec,
        index: int,
        *,
        due: datetime | None,
        turns: int,
        stop_after: float | None,
        clock: Clock,
        token: int | None = None,
    ) -> None:
        self.logs = Logs()
        self.stop = TimedStopRequest(stop_after)
        self.runtime = TurnRuntime(self.stop, clock, turns)
        self._stop_after = stop_after or 0.0
        self._page = RecordingPage(spec.processes)
        self._sender = RecordingSender(self.stop)
        context = JobContext(
            spec.name,
            index,
            str(uuid.uuid4()),
            due=None if due is None else due.astimezone(UTC),
            beats=Beats(self._page, spec.heartbeat_timeout),
            stop=self.stop,
            runtime=self.runtime,
            sender=self._sender,
            log=self.logs.logger(),
            seat=TestedSeat(token) if token is not None else None,
        )
        slot = slot_name(spec.name, index, spec.processes)
        self.run = TestedRun(spec, slot, context, self.stop, self.runtime, self._sender, context.log)

    def result(self, code: int) -> Result:
        """Return what has come of the run, which has left with ``code``."""
        return Result(
            outcome=self._outcome(code),
            exception=self._exception(),
            beats=self._page.beats,
            notes=self._page.notes,
            waits=self.runtime.waits,
            turns=self.runtime.turns,
            logs=self.logs.events,
            exit_code=-signal.SIGKILL if self.stop.is_ignored else code,
            refusal=self._sender.refusal,
        )

    def _outcome(self, code: int) -> Outcome:
        """Return what the daemon would call it."""
        if self.stop.is_ignored:
            return Outcome.KILLED
        if self._sender.is_recycled:
            return Outcome.RECYCLED
        if code == exit_codes.REFUSED:
            return Outcome.REFUSED
        if code < 0:
            return Outcome.CRASHED
        if self.stop.asked and code in {exit_codes.DONE, 128 + signal.SIGTERM}:
            return Outcome.STOPPED
        return Outcome.FINISHED if code == exit_codes.DONE else Outcome.ERROR

    def _exception(self) -> BaseException | None:
        caught = self.run.caught[-1] if self.run.caught else None
        if not self.stop.is_ignored:
            return caught
        ignored = StopIgnoredError(self.run.slot, self._stop_after)
        if caught is None or isinstance(caught, OutOfTime | asyncio.CancelledError):
            return ignored.with_traceback(caught.__traceback__ if caught else None)  # it leads to where the job was
        ignored.__cause__ = caught
        return ignored

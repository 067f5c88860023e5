"""The outcome of a run, from how its process ended and what else is known of it."""

import os
import signal
from typing import NamedTuple

from workerd.wire import exit_codes
from workerd.wire.reasons import Reason, public_part
from workerd.wire.words import Outcome


class ExitStatus(NamedTuple):
    """The end of a process: exit code or signal, never both."""

    code: int | None = None
    signal: int | None = None
    peak_rss: float = 0.0
    """The most MiB that the process ever had in RAM, including what it shares with the forkserver."""

    @classmethod
    def from_wait(cls, status: int, peak_rss: float = 0.0) -> "ExitStatus":
        """Read a wait status, and what wait4(2) says of its memory."""
        if os.WIFSIGNALED(status):
            return cls(signal=os.WTERMSIG(status), peak_rss=peak_rss)
        return cls(code=os.WEXITSTATUS(status), peak_rss=peak_rss)

    @property
    def signal_name(self) -> str | None:
        """Return ``SIGKILL`` for 9; real-time signals by number."""
        if self.signal is None:
            return None
        try:
            return signal.Signals(self.signal).name
        except ValueError:
            return f"SIG{self.signal}"


class Evidence(NamedTuple):
    """All that is known beside the exit status; ``verdict`` is an outcome that was decided while the child lived."""

    verdict: Outcome | None = None
    verdict_reason: str = ""
    asked: bool = False
    kill_reason: str = ""
    """Why the daemon has killed it; "" where it has not."""
    stop_signal: int = signal.SIGTERM
    refusal: str = ""
    exception: str = ""
    out_of_memory: bool = False


def classify(end: ExitStatus, known: Evidence) -> tuple[Outcome, Reason]:
    """Return the outcome and a short reason in words."""
    if known.verdict is not None:
        return known.verdict, Reason(known.verdict_reason)
    if known.refusal or end.code == exit_codes.REFUSED:
        own = Reason("exit code 78: the job says that it cannot run as configured; its output may say why")
        return Outcome.REFUSED, Reason(known.refusal, public_part(known.refusal)) if known.refusal else own
    if end.signal is not None:
        return _judge_signal(end, known)
    if known.asked and end.code in (0, 128 + known.stop_signal):
        return Outcome.STOPPED, Reason("stopped as asked")
    if end.code == 0:
        return Outcome.FINISHED, Reason("exit code 0")
    if known.exception:
        return Outcome.ERROR, Reason(known.exception, public_part(known.exception))
    return Outcome.ERROR, Reason(f"exit code {end.code}")


def _judge_signal(end: ExitStatus, known: Evidence) -> tuple[Outcome, Reason]:
    if known.kill_reason and end.signal == signal.SIGKILL:
        return Outcome.KILLED, Reason(known.kill_reason)
    if known.asked and end.signal == known.stop_signal:
        return Outcome.STOPPED, Reason("stopped as asked")
    if end.signal == signal.SIGKILL:
        if known.out_of_memory:
            return Outcome.CRASHED, Reason("out of memory: killed by the kernel, as its cgroup counts")
        return Outcome.CRASHED, Reason("killed by SIGKILL, not by workerd: perhaps out of memory (“dmesg” tells)")
    return Outcome.CRASHED, Reason(f"killed by {end.signal_name}")

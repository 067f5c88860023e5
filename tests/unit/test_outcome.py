"""What a run's end is called."""

import os
import signal

import pytest

from workerd.daemon.rules import outcome
from workerd.daemon.rules.outcome import ExitStatus, classify
from workerd.wire.words import Outcome

Known = outcome.Evidence  # under its own name pytest would collect it
KILLED_BY_OTHERS = "killed by SIGKILL, not by workerd: perhaps out of memory (“dmesg” tells)"


@pytest.mark.parametrize(
    ("end", "known", "expected"),
    [
        (ExitStatus(code=0), Known(), (Outcome.FINISHED, "exit code 0")),
        (ExitStatus(code=0), Known(asked=True), (Outcome.STOPPED, "stopped as asked")),
        (ExitStatus(code=143), Known(asked=True), (Outcome.STOPPED, "stopped as asked")),
        (ExitStatus(code=143), Known(), (Outcome.ERROR, "exit code 143")),
        (ExitStatus(signal=15), Known(asked=True), (Outcome.STOPPED, "stopped as asked")),
        (ExitStatus(signal=2), Known(asked=True, stop_signal=signal.SIGINT), (Outcome.STOPPED, "stopped as asked")),
        (ExitStatus(signal=15), Known(), (Outcome.CRASHED, "killed by SIGTERM")),
        (ExitStatus(code=1), Known(), (Outcome.ERROR, "exit code 1")),
        (ExitStatus(code=1), Known(exception="ValueError: no"), (Outcome.ERROR, "ValueError: no")),
        (ExitStatus(code=1), Known(asked=True), (Outcome.ERROR, "exit code 1")),
        (ExitStatus(signal=11), Known(), (Outcome.CRASHED, "killed by SIGSEGV")),
        (ExitStatus(signal=11), Known(asked=True), (Outcome.CRASHED, "killed by SIGSEGV")),
        (ExitStatus(signal=9), Known(), (Outcome.CRASHED, KILLED_BY_OTHERS)),
        (ExitStatus(signal=9), Known(asked=True), (Outcome.CRASHED, KILLED_BY_OTHERS)),
        (
            ExitStatus(signal=9),
            Known(asked=True, kill_reason="it did not stop within 5 s"),
            (Outcome.KILLED, "it did not stop within 5 s"),
        ),
        (
            ExitStatus(code=78),
            Known(),
            (Outcome.REFUSED, "exit code 78: the job says that it cannot run as configured; its output may say why"),
        ),
        (ExitStatus(code=78), Known(refusal="no such job"), (Outcome.REFUSED, "no such job")),
        (ExitStatus(code=75), Known(), (Outcome.ERROR, "exit code 75")),
    ],
)
def test_the_end_of_a_run_has_one_name(end: ExitStatus, known: Known, expected: tuple[Outcome, str]) -> None:
    assert classify(end, known) == expected


@pytest.mark.parametrize("end", [ExitStatus(code=0), ExitStatus(code=78), ExitStatus(signal=9), ExitStatus(signal=11)])
@pytest.mark.parametrize("verdict", [Outcome.HUNG, Outcome.OVER_MEMORY, Outcome.RECYCLED])
def test_a_verdict_that_fell_while_it_lived_stands_whatever_ends_it(end: ExitStatus, verdict: Outcome) -> None:
    known = Known(verdict=verdict, verdict_reason="said before", asked=True, kill_reason="no", refusal="said later")

    assert classify(end, known) == (verdict, "said before")


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (34, "SIGRTMIN"), (40, "SIG40"), (None, None)])
def test_signals_are_named_and_real_time_ones_numbered(number: int | None, name: str | None) -> None:
    assert ExitStatus(signal=number).signal_name == name


def test_an_exit_status_is_read_from_the_kernel() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    _, status = os.waitpid(pid, 0)

    assert ExitStatus.from_wait(status) == ExitStatus(code=7)


def test_a_killing_signal_is_read_from_the_kernel() -> None:
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(pid, 0)

    assert ExitStatus.from_wait(status) == ExitStatus(signal=9)

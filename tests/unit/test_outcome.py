"""What a run's end is called."""

import os
import signal

import pytest

from workerd.daemon.rules import outcome
from workerd.daemon.rules.outcome import Exit, judge
from workerd.wire.words import Outcome

Known = outcome.Testimony  # under its own name pytest would collect it
KILLED_BY_OTHERS = "killed by SIGKILL, not by workerd: perhaps out of memory"


@pytest.mark.parametrize(
    ("end", "known", "expected"),
    [
        (Exit(code=0), Known(), (Outcome.FINISHED, "exit code 0")),
        (Exit(code=0), Known(asked=True), (Outcome.STOPPED, "stopped as asked")),
        (Exit(code=143), Known(asked=True), (Outcome.STOPPED, "stopped as asked")),
        (Exit(code=143), Known(), (Outcome.ERROR, "exit code 143")),
        (Exit(signal=15), Known(asked=True), (Outcome.STOPPED, "stopped as asked")),
        (Exit(signal=2), Known(asked=True, stop_signal=signal.SIGINT), (Outcome.STOPPED, "stopped as asked")),
        (Exit(signal=15), Known(), (Outcome.CRASHED, "killed by SIGTERM")),
        (Exit(code=1), Known(), (Outcome.ERROR, "exit code 1")),
        (Exit(code=1), Known(exception="ValueError: no"), (Outcome.ERROR, "ValueError: no")),
        (Exit(code=1), Known(asked=True), (Outcome.ERROR, "exit code 1")),
        (Exit(signal=11), Known(), (Outcome.CRASHED, "killed by SIGSEGV")),
        (Exit(signal=11), Known(asked=True), (Outcome.CRASHED, "killed by SIGSEGV")),
        (Exit(signal=9), Known(), (Outcome.CRASHED, KILLED_BY_OTHERS)),
        (Exit(signal=9), Known(asked=True), (Outcome.CRASHED, KILLED_BY_OTHERS)),
        (
            Exit(signal=9),
            Known(asked=True, killed=True),
            (Outcome.KILLED, "did not stop in time and was killed"),
        ),
        (Exit(code=78), Known(), (Outcome.REFUSED, "exit code 78: the job says that it cannot run as configured")),
        (Exit(code=78), Known(refusal="no such job"), (Outcome.REFUSED, "no such job")),
        (Exit(code=75), Known(), (Outcome.ERROR, "exit code 75")),
    ],
)
def test_the_end_of_a_run_has_one_name(end: Exit, known: Known, expected: tuple[Outcome, str]) -> None:
    assert judge(end, known) == expected


@pytest.mark.parametrize("end", [Exit(code=0), Exit(code=78), Exit(signal=9), Exit(signal=11)])
@pytest.mark.parametrize("fallen", [Outcome.HUNG, Outcome.OVER_MEMORY, Outcome.RECYCLED])
def test_a_verdict_that_fell_while_it_lived_stands_whatever_ends_it(end: Exit, fallen: Outcome) -> None:
    known = Known(fallen=fallen, fallen_reason="said before", asked=True, killed=True, refusal="said later")

    assert judge(end, known) == (fallen, "said before")


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (34, "SIGRTMIN"), (40, "SIG40"), (None, None)])
def test_signals_are_named_and_real_time_ones_numbered(number: int | None, name: str | None) -> None:
    assert Exit(signal=number).signal_name == name


def test_an_exit_status_is_read_from_the_kernel() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    _, status = os.waitpid(pid, 0)

    assert Exit.from_wait(status) == Exit(code=7)


def test_a_killing_signal_is_read_from_the_kernel() -> None:
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(pid, 0)

    assert Exit.from_wait(status) == Exit(signal=9)

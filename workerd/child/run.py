"""One run of a job in a child, from the licence to the exit code."""

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from workerd.arguments import read_environment
from workerd.directories import DirectoryError
from workerd.job_rules.choices import STOP_SIGNALS
from workerd.targets import RowError, Target, TargetError, resolve
from workerd.wire import exit_codes
from workerd.wire.channel import Channel
from workerd.wire.messages import License, Loaded, Message, Refused
from workerd.wire.page import HeartbeatPage
from workerd.wire.spec import JobSpec
from workerd.wire.words import slot_name

from .beats import Beats
from .call import call
from .context import JobContext, Sender
from .descriptors import KnownFile
from .identity import due_of
from .interpreter_end import end_interpreter, flush_streams
from .process_setup import set_up
from .reports import call_excepthook, describe_failure, drop_our_frames, exit_code_of, log_failure
from .runtime import ProcessRuntime, Runtime
from .seat import HeldSeat
from .secrets import SECRETS
from .stopping import StopRequest
from .surroundings import take_surroundings

OOM_ADJUSTMENT = 100
"""Where memory runs out, the kernel counts a job's process as a tenth of all memory larger than it is (proc(5))."""


@dataclass(frozen=True, slots=True)
class JobRun:
    """The parts of one run; ``log`` takes workerd's own events."""

    spec: JobSpec
    slot: str
    context: JobContext
    stop: StopRequest
    runtime: Runtime
    sender: Sender
    log: Any
    pid: int = field(default_factory=os.getpid)

    @property
    def is_in_fork(self) -> bool:
        """Whether this process is one that the job has forked."""
        return os.getpid() != self.pid

    def report(self, error: BaseException) -> None:
        """Tell what has ended the run: to the daemon, in the log, and to the project's own hooks."""
        failed = describe_failure(error)
        log_failure(self.log, self.slot, error, failed)
        self.sender.send(failed)
        call_excepthook(error, failed)


def run_job(spec: JobSpec, license: License, channel: Channel, page: HeartbeatPage) -> int:  # noqa: A002 - the message's name
    """Run the licensed job, and what Python does at the end of a process; return the exit code.

    The caller closes connections and exits. A process that the job forks returns from here, too.
    The streams must be connected, and the signals at their defaults.
    """
    sender = ChildSender(channel)
    spec = spec.for_slot(license.index)
    try:
        stop = StopRequest()
        stop.listen(stop_signals(spec))
        _offer_to_oom_killer()
        log = set_up(spec, license, page)
        return end_interpreter(run_target(make_run(license, spec, page, stop, sender, log=log)))
    except Exception as error:  # noqa: BLE001 - a fault of workerd's own, before or after the job's code: the daemon must know
        sender.send(describe_failure(error))
        return exit_codes.OWN_FAULT
    finally:
        flush_streams()


def run_target(run: JobRun) -> int:
    """Resolve the target, announce the start, call the target, and return the exit code."""
    try:
        take_surroundings(run.spec)
        target = resolve(run.spec)
        _lower_priority(run.spec)
        kwargs, secrets = read_environment("kwargs", target.kwargs)
        SECRETS.take(secrets)
    except RowError as error:
        run.sender.send(Refused(str(error), error.public))
        return exit_codes.REFUSED
    except DirectoryError as error:  # no refusal: a directory may come and go, as a mount does
        run.report(error)
        return exit_codes.FAILED
    run.context.beat()
    _announce_start(run)
    run.sender.send(Loaded())
    code = exit_codes.DONE if run.stop.asked else _call(run, target, kwargs)
    if not run.is_in_fork:
        _announce_end(run, code)
    return code


def stop_signals(spec: JobSpec) -> set[int]:
    """Return the signals that ask this job to stop: the one of its row, and TERM and INT, which people send by hand."""
    signals: set[int] = {signal.SIGTERM, signal.SIGINT}
    if spec.stop_signal in STOP_SIGNALS:  # `resolve` refuses a row that names another
        signals.add(getattr(signal, f"SIG{spec.stop_signal}"))
    return signals


def _call(run: JobRun, target: Target, kwargs: dict[str, Any]) -> int:
    try:
        call(target, kwargs, run.context, run.stop, run.runtime)
    except SystemExit as error:
        if not isinstance(error.code, int | None):
            sys.stderr.write(f"{error.code}\n")  # as the interpreter does
        return exit_code_of(error)
    except BaseException as error:  # noqa: BLE001 - the border to the job's code: whatever ends it is reported
        drop_our_frames(error)
        if run.is_in_fork:
            sys.excepthook(type(error), error, error.__traceback__)
            return exit_code_of(error)
        run.report(error)
        return exit_code_of(error)
    return exit_codes.DONE


def _announce_start(run: JobRun) -> None:
    from workerd.signals import child_started

    _log_failures(run, child_started.send_robust(sender=JobContext, context=run.context))


def _announce_end(run: JobRun, code: int) -> None:
    from workerd.signals import child_stopping

    _log_failures(run, child_stopping.send_robust(sender=JobContext, context=run.context, exit_code=code))


def _log_failures(run: JobRun, answers: list[tuple[Any, Any]]) -> None:
    """Log what receivers have raised: Django logs it, too, but shows it only where DEBUG or LOGGING says so."""
    for receiver, answer in answers:
        if isinstance(answer, Exception):
            run.log.error("receiver failed", receiver=receiver, exc_info=answer)


def make_run(
    license: License,  # noqa: A002 - the message's name
    spec: JobSpec,
    page: HeartbeatPage,
    stop: StopRequest,
    sender: Sender,
    *,
    log: Any,
) -> JobRun:
    """Return the run of a licensed job, with its parts put together."""
    beats = Beats(page, spec.heartbeat_timeout)
    runtime = ProcessRuntime(beats, stop)
    slot, token = slot_name(spec.name, license.index, spec.processes), license.token
    context = JobContext(
        spec.name,
        license.index,
        license.run,
        due=due_of(license.due),
        beats=beats,
        stop=stop,
        runtime=runtime,
        sender=sender,
        log=structlog.get_logger(spec.target.rpartition(".")[0] or "workerd.job"),
        seat=HeldSeat(slot, spec.id or 0, license.index, token, page) if token is not None else None,
    )
    return JobRun(spec, slot, context, stop, runtime, sender, log)


def _offer_to_oom_killer() -> None:
    """Have the kernel kill this process, and what it starts, before the daemon, its ledger and its forkserver."""
    with suppress(OSError, ValueError):  # /proc is read-only, or not there
        file = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)  # a file object costs memory of its own
        try:
            score = min(1000, int(os.read(file, 16)) + OOM_ADJUSTMENT)
            os.pwrite(file, b"%d" % score, 0)
        finally:
            os.close(file)


def _lower_priority(spec: JobSpec) -> None:
    if spec.nice:
        try:
            os.nice(spec.nice)
        except PermissionError as error:
            problem = f"nice {spec.nice} is more than this user may ask for"
            raise TargetError("nice", problem, "Set it to 0 or above, or give the daemon CAP_SYS_NICE.") from error


class ChildSender:
    """Sends over the channel, and drops messages that the daemon cannot or must not get."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._file = KnownFile(channel.fileno())
        self._pid = os.getpid()

    def send(self, message: Message) -> None:
        if os.getpid() != self._pid:
            return  # a process that the job forked: it has the channel too, but it must not speak for the job
        if not self._file.is_at(self._channel.fileno()):
            return  # the job has closed it, and its number may be another file's
        # The daemon is gone. That is no failure of the job, and PDEATHSIG ends this process anyway.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._channel.send(message)

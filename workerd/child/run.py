"""One run in a child, from the licence to the exit code."""

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from workerd.arguments import read_environment
from workerd.targets import Target, TargetError, resolve
from workerd.wire import exit_codes
from workerd.wire.messages import License, Loaded, Message, Refused
from workerd.wire.spec import JobSpec
from workerd.wire.words import slot_name

from .beats import Beats, Page
from .call import call
from .context import JobContext, Sender
from .process_setup import set_up
from .reports import describe_failure, drop_our_frames, exit_code_of, log_failure
from .stopping import StopRequest


@dataclass(frozen=True, slots=True)
class JobRun:
    """What one run works with; ``log`` is for workerd's own events."""

    spec: JobSpec
    slot: str
    context: JobContext
    stop: StopRequest
    sender: Sender
    log: Any


def run_job(license: License, channel: Sender, page: Page) -> int:  # noqa: A002 - the message's name
    """Run the licensed job in this process, and return its exit code; the caller closes connections and leaves.

    Expects descriptors 1 and 2 on the output pipe, and default signals.
    """
    sender = _ChildSender(channel)
    try:
        spec = JobSpec.from_dict(license.spec)
        stop = StopRequest()
        stop.listen(stop_signals(spec))
        log = set_up(license, page)
        context = _make_context(license, spec, page, stop, sender)
        return run_target(JobRun(spec, slot_name(spec.name, license.index, spec.processes), context, stop, sender, log))
    except Exception as error:  # noqa: BLE001 - a fault of our own, before or after the job's code: the daemon must know
        sender.send(describe_failure(error))
        return exit_codes.OWN_FAULT
    finally:
        _flush()


def run_target(run: JobRun) -> int:
    """Resolve, announce, call, and return the exit code."""
    try:
        _lower_priority(run.spec)
        target = resolve(run.spec)
        kwargs = read_environment(target.kwargs)
    except TargetError as error:
        run.sender.send(Refused(str(error)))
        return exit_codes.REFUSED
    run.context.beat()
    _announce_start(run)
    run.sender.send(Loaded())
    code = exit_codes.DONE if run.stop.asked else _call(run, target, kwargs)
    _announce_end(run, code)
    return code


def stop_signals(spec: JobSpec) -> set[int]:
    """Return the signals that ask this job to stop: its own, and those that people send by hand."""
    return {signal.SIGTERM, signal.SIGINT, getattr(signal, f"SIG{spec.stop_signal.removeprefix('SIG')}")}


def _call(run: JobRun, target: Target, kwargs: dict[str, Any]) -> int:
    try:
        call(target, kwargs, run.context, run.stop)
    except SystemExit as error:
        if isinstance(error.code, str):
            sys.stderr.write(f"{error.code}\n")  # as the interpreter does
        return exit_code_of(error)
    except BaseException as error:  # noqa: BLE001 - the border to the job's code: whatever ends it is told
        drop_our_frames(error)
        log_failure(run.log, run.slot, error)
        run.sender.send(describe_failure(error))
        return exit_code_of(error)
    return exit_codes.DONE


def _announce_start(run: JobRun) -> None:
    from workerd.signals import child_started

    child_started.send_robust(sender=JobContext, context=run.context)  # Django logs what a receiver raises


def _announce_end(run: JobRun, code: int) -> None:
    from workerd.signals import child_stopping

    child_stopping.send_robust(sender=JobContext, context=run.context, exit_code=code)


def _make_context(license: License, spec: JobSpec, page: Page, stop: StopRequest, sender: Sender) -> JobContext:  # noqa: A002
    log = structlog.get_logger(spec.target.rpartition(".")[0] or "workerd.job")
    beats = Beats(page, spec.heartbeat_timeout)
    return JobContext(spec.name, license.index, license.run, beats=beats, stop=stop, sender=sender, log=log)


def _lower_priority(spec: JobSpec) -> None:
    if spec.nice:
        try:
            os.nice(spec.nice)
        except PermissionError as error:
            problem = f"nice {spec.nice} is more than this user may ask for"
            raise TargetError("nice", problem, "Set it to 0 or above, or give the daemon CAP_SYS_NICE.") from error


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the job closed it
            stream.flush()


class _ChildSender:
    """The channel, for a job that must not fail because the daemon has gone: PDEATHSIG ends it soon enough.

    What the job forks has the channel too, and is not who the daemon listens to.
    """

    def __init__(self, channel: Sender) -> None:
        self._channel = channel
        self._pid = os.getpid()

    def send(self, message: Message) -> None:
        """Send, or drop when nobody reads any more."""
        if os.getpid() != self._pid:
            return
        with suppress(BrokenPipeError, ConnectionResetError):
            self._channel.send(message)

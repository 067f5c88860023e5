"""Runs a job inside a test: in its thread and its transaction, for a few turns, without sleeping."""

import asyncio
import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from workerd.child.identity import take_identity
from workerd.child.run import run_target
from workerd.job_rules.stored_json import json_fault
from workerd.registry import autodiscover
from workerd.wire import exit_codes
from workerd.wire.spec import JobSpec

from .bench import Bench
from .clock import Clock
from .failures import OutOfTime
from .result import Result
from .surroundings import restored

STOP_AFTER_S = 5.0


def run_job(
    target: Callable[..., Any] | str = "",
    /,
    *,
    command: str = "",
    arguments: Mapping[str, Any] | None = None,
    due: datetime | None = None,
    turns: int = 1,
    stop_after: float | None = STOP_AFTER_S,
    index: int = 0,
    processes: int = 1,
    token: int | None = None,
    clock: Clock | None = None,
    raises: bool = True,
    **kwargs: Any,
) -> Result:
    """Run a job as its child would, in this thread, and return how it went.

    ``target`` is the function or its dotted name, ``command`` a command line without ``manage.py``: one of the two.
    ``kwargs`` are the row's, and so are ``arguments``, for names that this function has itself. The row's rules, the
    allow-list and the signature hold, and the arguments go through JSON. ``due`` is an aware datetime. With a ``token``
    the job holds a seat of the fleet, which it does not lose.

    ``context.every`` and the waits return at once and move ``clock``. After ``turns`` turns the job is asked to stop;
    also after ``stop_after`` seconds of real time (None: no limit), and it fails when it goes on for as long again.
    Code without a context gets KeyboardInterrupt then.

    Raises what the job raises, JobRefusedError for a job that cannot run as asked for, JobFailedError for an exit code
    other than 0, StopIgnoredError. With ``raises=False`` the Result has all of it.
    """
    _check(index, processes, due)
    autodiscover()
    spec = _spec(target, command, {**(arguments or {}), **kwargs}, processes).for_slot(index)
    bench = Bench(spec, index, due=due, turns=turns, stop_after=stop_after, clock=clock or Clock(), token=token)
    try:
        result = bench.result(_run(bench, index))
    finally:
        bench.stop.close()
    if raises:
        result.raise_failure(bench.run.slot)
    return result


def _run(bench: Bench, index: int) -> int:
    run = bench.run
    with restored(), bench.logs.taking_records(), bench.stop.watching(bench.runtime.cancel):
        take_identity(run.spec, index, run.context.run_id, run.context.due)
        try:
            code = run_target(run)
        except OutOfTime:  # it came when the job had just ended
            code = exit_codes.FAILED
        if run.is_in_fork:
            os._exit(code & 0xFF)  # a process that the job has forked must not go on with the tests
        return code


def _check(index: int, processes: int, due: datetime | None) -> None:
    if not 0 <= index < processes:
        raise ValueError(f"index {index} is not one of {processes} processes: they count from 0")
    if due is not None and due.tzinfo is None:
        raise ValueError(f"due is {due!r}, without a time zone: give an aware datetime")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("run_job was called in a coroutine: write await sync_to_async(run_job)(…), of asgiref.sync")


def _spec(target: Callable[..., Any] | str, command: str, kwargs: dict[str, Any], processes: int) -> JobSpec:
    dotted = target if isinstance(target, str) else f"{target.__module__}.{target.__qualname__}"
    if not json_fault("kwargs", kwargs):  # else the rules refuse them
        kwargs = json.loads(json.dumps(kwargs))
    words = command.split() or [dotted.rpartition(".")[2]]
    name = re.sub(r"[^-a-zA-Z0-9_]", "-", words[0])[:60] or "job"
    return JobSpec(name, target=dotted, command=command, kwargs=kwargs, processes=processes)

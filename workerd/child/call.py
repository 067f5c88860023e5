"""Calls a job's function or command, and turns a request to stop into what that code understands.

A job with a context looks at ``stopping``. Code without one gets what Ctrl-C gives it: KeyboardInterrupt, or a
cancelled task.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from workerd.targets import Target

from .context import JobContext
from .runtime import Runtime
from .stopping import StopRequest


def call(target: Target, kwargs: dict[str, Any], context: JobContext, stop: StopRequest, runtime: Runtime) -> None:
    """Call ``target`` and return when it has ended. Raises what it raises, except for the stop that was asked for."""
    runtime.heal()
    arguments = (context,) if target.takes_context else target.args
    if target.is_async:
        coroutine = target.function(*arguments, **kwargs)
        run = _run_with_stop_event if target.takes_context else _run_until_stop
        runtime.run(run(coroutine, stop))
    elif target.takes_context:
        target.function(*arguments, **kwargs)
    else:
        _call_interruptibly(target, kwargs, stop)


def _call_interruptibly(target: Target, kwargs: dict[str, Any], stop: StopRequest) -> None:
    try:
        stop.interrupts = True
        # A signal before the line above only set the flag, and one after it raises here: none is lost in between.
        if not stop.asked:
            target.function(*target.args, **kwargs)
    except KeyboardInterrupt:
        if not stop.asked:
            raise
    finally:
        stop.interrupts = False


async def _run_with_stop_event(coroutine: Coroutine[Any, Any, object], stop: StopRequest) -> None:
    stop.event()  # has the signal wake the loop, also for a job that only reads ``stopping``
    await coroutine


async def _run_until_stop(coroutine: Coroutine[Any, Any, object], stop: StopRequest) -> None:
    """Run the coroutine and cancel it when a stop is asked for, as asyncio.run() does at Ctrl-C."""
    task = asyncio.ensure_future(coroutine)
    asked = asyncio.ensure_future(stop.event().wait())
    try:
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
        await task
    except asyncio.CancelledError:
        if not stop.asked:
            raise
    finally:
        asked.cancel()

"""The call itself: a job with its context, or code that knows none and hears TERM as Ctrl-C."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from workerd.targets import Target

from .connections import aclose, heal
from .context import JobContext
from .stopping import StopRequest


def call(target: Target, kwargs: dict[str, Any], context: JobContext, stop: StopRequest) -> None:
    """Call ``target`` and return when it has ended; what it raises goes through, but for the end that was asked for."""
    heal()
    arguments = (context,) if target.takes_context else target.args
    if target.is_async:
        coroutine = target.function(*arguments, **kwargs)
        heeding = _heed if target.takes_context else _cancel_when_asked
        asyncio.run(_close_after(heeding(coroutine, stop)))
    elif target.takes_context:
        target.function(*arguments, **kwargs)
    else:
        _call_interruptibly(target, kwargs, stop)


def _call_interruptibly(target: Target, kwargs: dict[str, Any], stop: StopRequest) -> None:
    try:
        stop.interrupts = True
        if not stop.asked:  # from here on, a signal raises; before, it was a flag
            target.function(*target.args, **kwargs)
    except KeyboardInterrupt:
        if not stop.asked:
            raise
    finally:
        stop.interrupts = False


async def _close_after(coroutine: Coroutine[Any, Any, object]) -> None:
    try:
        await coroutine
    finally:
        await aclose()


async def _heed(coroutine: Coroutine[Any, Any, object], stop: StopRequest) -> None:
    stop.event()  # the signal wakes the loop, also for a job that only looks at ``stopping``
    await coroutine


async def _cancel_when_asked(coroutine: Coroutine[Any, Any, object], stop: StopRequest) -> None:
    """Cancel at the wish to stop, as asyncio does at Ctrl-C."""
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

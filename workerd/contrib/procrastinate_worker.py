"""procrastinate's worker, which beats from its event loop."""

import asyncio
from collections.abc import Iterable
from typing import Any

from procrastinate.worker import Worker

from workerd.child.context import JobContext

from .task_lines import lines_of

BEAT_S = 1.0


class BeatingWorker(Worker):
    """A worker whose lines of a job say so."""

    def __init__(self, context: JobContext, worker_middleware: Iterable[Any] = (), **options: Any) -> None:
        self._context = context
        super().__init__(worker_middleware=[_name_lines, *worker_middleware], **options)

    async def work(self) -> None:
        """Run, and beat, until it ends, asked to or because of an error."""
        running = asyncio.create_task(self.run())
        while not running.done():
            self._context.beat()
            if self.worker_id is not None:
                self._context.ready()
            if self._context.stopping:
                self.stop()
            await asyncio.wait({running}, timeout=BEAT_S)
        await running


async def _name_lines(call_next: Any, context: Any, worker: Any) -> Any:  # noqa: ARG001 - the engine calls it so
    with lines_of(str(context.job.id), context.job.task_name):
        return await call_next()

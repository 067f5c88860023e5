"""arq: its worker in an event loop, on Redis."""

import asyncio
import os
from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "arq",
    "program arq tests.fidelity.cases.arq.Worker",
    ("arq==0.28.0",),
    apart=True,
    needs=frozenset({"redis"}),
    noise=(r"mem_usage=\S+",),
    shown="`arq`, by a command of the project",
)


async def run(context: Any, name: str, seconds: float) -> None:
    from tests.fidelity.site.work import work_async

    await work_async(name, seconds)


def define() -> Any:
    from arq import create_pool
    from arq.connections import RedisSettings

    async def put(name: str, seconds: float) -> None:
        pool = await create_pool(RedisSettings.from_dsn(os.environ["FIDELITY_REDIS"]))
        await pool.enqueue_job("run", name, seconds)
        await pool.aclose()

    return lambda name, seconds: asyncio.run(put(name, seconds))


def __getattr__(name: str) -> Any:
    """The settings of the worker, made when its command asks for them."""
    if name != "Worker":
        raise AttributeError(name)
    from arq.connections import RedisSettings

    redis = RedisSettings.from_dsn(os.environ["FIDELITY_REDIS"])
    return type("Worker", (), {"functions": [run], "redis_settings": redis, "poll_delay": 0.1})

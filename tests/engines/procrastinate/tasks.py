"""procrastinate's way to the work."""

import time

from procrastinate.contrib.django import app

from tests.engines.shop.work import do_work


@app.task
def work(number: int, seconds: float) -> None:
    do_work(number, seconds)


@app.task
async def block() -> None:
    """Do what no coroutine should."""
    time.sleep(3600)  # noqa: ASYNC251 - it is what the story is about


def enqueue(number: int, seconds: float) -> None:
    work.defer(number=number, seconds=seconds)

"""procrastinate's way to the work."""

from procrastinate.contrib.django import app

from tests.engines.shop.work import do_work


@app.task
def work(number: int, seconds: float) -> None:
    do_work(number, seconds)


def enqueue(number: int, seconds: float) -> None:
    work.defer(number=number, seconds=seconds)

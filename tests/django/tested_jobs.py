"""What the tests of ``workerd.testing`` run."""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from typing import Any

from asgiref.sync import sync_to_async
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from shop.models import Cart
from workerd import JobContext, job

seen: list[Any] = []
"""What the last job has found; each test begins with none."""


@job
def make_carts(context: JobContext, pause: float = 5.0) -> None:
    for turn in context.every(pause):
        Cart.objects.create()
        context.beat(f"turn {turn}")


@job
def make_carts_fenced(context: JobContext) -> None:
    for _ in context.every(5):
        with context.fenced():
            Cart.objects.create()
            seen.append(context.token)


@job
def wait_between(context: JobContext) -> None:
    while not context.wait(60):
        seen.append("turn")


@job
def wait_within(context: JobContext) -> None:
    """Has waits of its own before its turns and in them."""
    context.wait(1)
    context.wait(1)
    for turn in context.every(60):
        for _ in context.each(range(3)):
            context.wait(1)
        seen.append(turn)


@job
def wait_for_ever(context: JobContext) -> None:
    seen.append(context.wait())


@job
async def count_carts(context: JobContext, pause: float = 5.0) -> None:
    async for _ in context.aevery(pause):
        seen.append((await Cart.objects.acount(), await sync_to_async(threading.get_ident)()))
        await Cart.objects.acreate()


@job
async def await_stop(context: JobContext) -> None:
    seen.append(await context.await_stop())


@job
async def return_at_once(context: JobContext) -> None:
    """Ends without having been asked to."""


async def count_alone() -> None:
    seen.append(await Cart.objects.acount())


async def sleep_alone() -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        seen.append("cleaned up")


@job
def take(context: JobContext, **kwargs: Any) -> None:
    seen.append(kwargs)


@job
def take_secret(context: JobContext, secret: str) -> None:
    seen.append(secret)
    context.beat(f"with {secret}")


@job
def take_turns(context: JobContext, turns: int, stop_after: str) -> None:
    seen.append((turns, stop_after))


@job
def tell_all(context: JobContext) -> None:
    named = {name: value for name, value in os.environ.items() if name.startswith("WORKERD_")}
    seen.append((context.job_name, context.index, context.processes, context.due, sys.argv[1:], named))


@job
def fail(context: JobContext) -> None:
    raise LookupError("no such order")


@job
async def afail(context: JobContext) -> None:
    raise LookupError("no such order")


@job
def leave(context: JobContext, code: Any = None) -> None:
    raise SystemExit(code)


@job
def interrupt(context: JobContext) -> None:
    raise KeyboardInterrupt


@job
def recycle(context: JobContext) -> None:
    for _ in context.every(1):
        context.recycle()


def sleep() -> None:
    """Has no context, and ends as Ctrl-C ends it."""
    try:
        time.sleep(3600)
    finally:
        seen.append("cleaned up")


@job
def go_on(context: JobContext) -> None:
    while True:
        sleep_once(context)


def sleep_once(context: JobContext) -> None:
    try:
        context.wait(1)
        time.sleep(0.001)
    except Exception:  # noqa: BLE001 - as careless jobs do
        seen.append("swallowed")


@job
async def ago_on(context: JobContext) -> None:
    while True:  # noqa: ASYNC110 - it waits for nothing
        await asyncio.sleep(0.001)


@job
def hang(context: JobContext) -> None:
    time.sleep(3600)


def go_on_after_interrupt() -> None:
    while True:
        try:
            time.sleep(3600)
        except KeyboardInterrupt:
            seen.append("interrupted")


@job
def change_process(context: JobContext) -> None:
    os.environ["PATH"], os.environ["SHOP_NEW"] = "", "1"
    sys.argv = ["other"]
    os.chdir("/")
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


@job
def log(context: JobContext) -> None:
    context.log.info("orders.shipped", count=2)
    context.log.debug("shop.detail")
    logging.getLogger("shop").warning("%d left", 3)


@job
def count_queries(context: JobContext) -> None:
    for _ in context.every(5):
        query()


def query() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@job
def query_in_a_thread(context: JobContext) -> None:
    thread = threading.Thread(target=query_and_close)
    thread.start()
    thread.join()


def query_and_close() -> None:
    query()
    seen.append("asked")
    connection.close()


@job
def fork(context: JobContext) -> None:
    if (pid := os.fork()) == 0:
        raise SystemExit(7)
    seen.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def own_signals() -> list[Any]:
    return [signal.getsignal(number) for number in sorted(signal.valid_signals())]


class Sweep(BaseCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fail", action="store_true")

    def handle(self, *args: Any, fail: bool, **options: Any) -> None:
        if fail:
            raise CommandError("no broom", returncode=4)
        seen.append((Cart.objects.count(), threading.get_ident()))


get_commands()["sweep"] = Sweep()  # type: ignore[assignment]  # call_command takes an instance too

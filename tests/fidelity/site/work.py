"""The work that every package is given, and the file that tells what became of it."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

log = logging.getLogger("fidelity")
LEVEL = getattr(logging, os.environ.get("FIDELITY_LEVEL", "WARNING"))


def note(*words: str) -> None:
    """Add a line to the file ``work``."""
    with Path(os.environ["FIDELITY_FOLDER"], "work").open("a") as file:
        file.write(" ".join(words) + "\n")


def say(text: str) -> None:
    """Print a line at once, whole: threads may do the same."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def work(name: str, seconds: float = 0) -> str:
    """Print, log, take ``seconds``; write down when it begins, when it is done, and what cuts it."""
    with _noted(name):
        time.sleep(seconds)
    return name


async def work_async(name: str, seconds: float = 0) -> str:
    """Do what ``work`` does in an event loop."""
    with _noted(name):
        await asyncio.sleep(seconds)
    return name


def make_task(decorate: Callable[[], Callable[[Any], Any]], module: str) -> Any:
    """Return the work as a task of Django's, which a worker finds as ``run`` of ``module``."""

    def run(name: str, seconds: float) -> None:
        work(name, seconds)

    run.__module__, run.__qualname__ = module, "run"
    return decorate()(run)


@contextmanager
def _noted(name: str) -> Iterator[None]:
    say(f"{name} is printed")
    log.log(LEVEL, "%s is logged", name)
    try:
        note("began", name)  # a signal may follow at once
        yield
    except BaseException as error:
        note("cut", name, "by", type(error).__name__)
        log.log(LEVEL, "%s is cut", name)
        raise
    note("done", name)

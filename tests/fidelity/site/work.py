"""The work that every package is given, and the file that tells what became of it."""

import logging
import os
import sys
import time
from pathlib import Path

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
    say(f"{name} is printed")
    log.log(LEVEL, "%s is logged", name)
    note("began", name)
    try:
        time.sleep(seconds)
    except BaseException as error:
        note("cut", name, "by", type(error).__name__)
        log.log(LEVEL, "%s is cut", name)
        raise
    note("done", name)
    return name


async def work_async(name: str, seconds: float = 0) -> str:
    """Do what ``work`` does in an event loop."""
    import asyncio

    say(f"{name} is printed")
    log.log(LEVEL, "%s is logged", name)
    note("began", name)
    try:
        await asyncio.sleep(seconds)
    except BaseException as error:
        note("cut", name, "by", type(error).__name__)
        log.log(LEVEL, "%s is cut", name)
        raise
    note("done", name)
    return name

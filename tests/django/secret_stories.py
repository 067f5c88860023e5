"""What jobs do with a secret of the environment that would show it: ``test_child_secrets`` runs each as a job."""

import json
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import structlog

from workerd import JobContext, job

SECRETS = {
    "SHOP_KEY": "k1",
    "SHOP_TOKEN": "sk-live-0123456789abcdef",
    "SHOP_LONG": "long-" + "0123456789" * 60,
    "SHOP_LINES": "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nBAQEFAASCBKcwggSjAgEAA\n-----END KEY-----\n",
    "SHOP_ODD": 'pä"ss\\wörd\t💥',
}
"""The environment of the runner."""


def convert(key: str, _context: JobContext) -> None:
    float(key)


def convert_to_whole(key: str, _context: JobContext) -> None:
    int(key)  # of a long text Python shows the beginning


def raise_from(key: str, _context: JobContext) -> None:
    try:
        print(dict[str, str]()[key])
    except KeyError as error:
        raise RuntimeError(f"no such customer: {key}") from error


def note(key: str, context: JobContext) -> None:
    context.beat(f"signing in with {key}")


def log(key: str, context: JobContext) -> None:
    message = f"with {key}"
    context.log.info(message, key=key, deep=[{"a": key}], other=object(), number=5)
    structlog.get_logger("shop").info("signed in", key=key)
    logging.getLogger("shop").warning("with %s", key, extra={"headers": {"Authorization": key}})


def log_a_failure(key: str, context: JobContext) -> None:
    try:
        float(key)
    except ValueError:
        context.log.exception("failed")
        logging.getLogger("shop").exception("failed")


def print_it(key: str, _context: JobContext) -> None:
    print(key)
    print(f"with {key!r}, with {json.dumps(key)}", file=sys.stderr)


def fail_in_a_thread(key: str, _context: JobContext) -> None:
    thread = threading.Thread(target=float, args=(key,))
    thread.start()
    thread.join()


STORIES: tuple[Callable[[str, JobContext], None], ...] = (
    convert,
    convert_to_whole,
    raise_from,
    note,
    log,
    log_a_failure,
    print_it,
    fail_in_a_thread,
)


@job
def lengths(context: JobContext, **kwargs: Any) -> None:
    """Tell what the job got, and nothing of it."""
    print({name: len(value) for name, value in kwargs.items()}, flush=True)


@job
def tell(context: JobContext, story: str, key: str) -> None:
    next(function for function in STORIES if function.__name__ == story)(key, context)

"""What a process shows, each of which must come out of a child as plain Python shows it: no line more, none less.

``python -m tests.django.output_stories NAME`` is the plain process. Lines are compared from their ``>`` on.
"""

import contextlib
import io
import logging
import logging.config
import logging.handlers
import os
import queue
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import structlog
from django.core.management import CommandError
from django.db import connection

from workerd import forksafe

log = logging.getLogger("shop")


def log_each_level(name: str = "shop") -> None:
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(logging.getLogger(name), level)("> a %s of %s", level, name)


def nothing_is_configured() -> None:
    """So no token is shown that stands in an info line."""
    log_each_level()
    log_each_level("httpx")


def the_job_configures_the_root() -> None:
    logging.basicConfig(level=logging.INFO, format="> %(levelname)s %(message)s")
    log_each_level()


def the_job_configures_the_root_twice() -> None:
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    logging.basicConfig(level=logging.DEBUG, format="> not this %(message)s")
    log_each_level()


def a_package_adds_a_handler_of_its_own() -> None:
    """As huey does."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("> [%(levelname)s] %(message)s"))
    logging.getLogger("huey").addHandler(handler)
    logging.getLogger("huey").setLevel(logging.INFO)
    log_each_level("huey")
    log_each_level()


def a_package_has_a_handler_class_of_its_own() -> None:
    """As rich and tqdm do."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print(f"> {record.levelname.title()} {self.format(record)}", file=sys.stderr)

    logging.getLogger().handlers[:] = [Handler()]
    log_each_level()


def a_package_writes_to_the_first_stderr() -> None:
    """As celery does, which puts a logger in the place of stdout and stderr."""
    handler = logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(logging.Formatter("> [%(levelname)s/MainProcess] %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)

    class Proxy(io.TextIOBase):
        def write(self, text: str) -> int:
            if text.strip():
                log.warning("> redirected: %s", text.strip())
            return len(text)

    with contextlib.redirect_stdout(Proxy()):
        print("printed")
    log_each_level()


def a_package_configures_by_dictionary() -> None:
    """As uvicorn and gunicorn do."""
    handlers = {
        name: {"class": "logging.StreamHandler", "stream": f"ext://sys.{name}", "formatter": name}
        for name in ("stdout", "stderr")
    }
    loggers = {
        "uvicorn.access": {"handlers": ["stdout"], "level": "INFO", "propagate": False},
        "uvicorn.error": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
    }
    formatters = {name: {"format": f"> {name} %(levelname)s %(message)s"} for name in handlers}
    config = {"version": 1, "handlers": handlers, "loggers": loggers, "formatters": formatters}
    logging.config.dictConfig(config | {"disable_existing_loggers": False})
    log_each_level("uvicorn.access")
    log_each_level("uvicorn.error")


def records_go_through_a_queue() -> None:
    records: queue.Queue[Any] = queue.Queue()
    target = logging.StreamHandler(sys.stderr)
    listener = logging.handlers.QueueListener(records, target)
    logging.getLogger().addHandler(logging.handlers.QueueHandler(records))
    listener.start()
    log_each_level()
    listener.stop()


def a_level_is_disabled() -> None:
    logging.disable(logging.WARNING)
    log_each_level()


def the_last_resort_is_taken_away() -> None:
    logging.lastResort = None
    logging.raiseExceptions = False
    log_each_level()


def what_is_redirected_is_not_shown() -> None:
    with contextlib.redirect_stderr(io.StringIO()):
        log_each_level()
        print("> redirected", file=sys.stderr)


def structlog_is_not_configured() -> None:
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(structlog.get_logger(), level)(f"> a {level}")


def structlog_is_configured_by_the_job() -> None:
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer(key_order=["event"])],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(),
    )
    structlog_is_not_configured()


def structlog_writes_by_the_standard_library() -> None:
    structlog.configure(
        processors=[structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    structlog_is_not_configured()


def it_is_warned() -> None:
    warnings.warn("> careful", stacklevel=1)
    logging.captureWarnings(True)
    warnings.warn("> captured", stacklevel=1)


def an_exception_is_logged() -> None:
    try:
        int("> wrong")
    except ValueError:
        log.exception("> caught")
        traceback.print_exc()


def printed_to_both() -> None:
    print("> out")
    print("> error", file=sys.stderr)
    os.write(1, b"> raw out\n")
    os.write(2, b"> raw error\n")


def a_program_leaves_half_a_line() -> None:
    subprocess.run(["printf", "> 50 %%"], check=True)
    log.warning("> an event")
    subprocess.run(["sh", "-c", "printf '> 51 %%' >&2"], check=True)
    log.warning("> another event")


def ends_by_abort_in_half_a_line() -> None:
    sys.stdout.write("> half a line")
    sys.stdout.flush()
    os.write(2, b"> last words")
    os.abort()


def leaves_at_once_in_half_a_line() -> None:
    os.write(1, b"> half a line")
    os._exit(3)


def _set_hook(hook: Callable[..., object]) -> None:
    sys.excepthook = hook
    raise ValueError("> nobody catches this")


def the_hook_of_exceptions_calls_pythons_own() -> None:
    """As Sentry's does."""
    former = sys.excepthook

    def hook(*failure: Any) -> None:
        print("> sent to Sentry", file=sys.stderr)
        former(*failure)

    _set_hook(hook)


def the_hook_of_exceptions_is_quiet() -> None:
    _set_hook(lambda *_: print("> in one line"))


def the_hook_of_exceptions_logs() -> None:
    _set_hook(lambda *failure: log.critical("> the end", exc_info=failure))


def the_hook_of_exceptions_fails() -> None:
    _set_hook(lambda *_: 1 // 0)


def the_hook_of_threads_is_the_projects() -> None:
    threading.excepthook = lambda args: print(f"> {args.exc_value} in {args.thread and args.thread.name}")
    thread = threading.Thread(target=lambda: 1 // 0, name="buyer")
    thread.start()
    thread.join()


def a_hook_is_not_for_what_leaves() -> None:
    sys.excepthook = lambda *_: print("> never")
    sys.exit(4)


NO_STORIES = {"log_each_level", "_set_hook"}
STORIES = [
    name
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__module__", "") == __name__ and name not in NO_STORIES
]


def a_command_error_never_meets_the_hook() -> None:
    sys.excepthook = lambda *_: print("> never")
    raise CommandError("could not", returncode=5)


class Hears(logging.Handler):
    """Prints what it is given, as Sentry sends it."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"> heard: {record.levelname} {record.name}")


def waits_for_a_database() -> None:
    sys.excepthook = lambda *_: print("> never")
    logging.getLogger().addHandler(Hears())
    forksafe.install()  # as each forkserver has
    other = connection.copy()
    other.settings_dict["NAME"] = "/nowhere/shop.sqlite3"
    other.ensure_connection()


if __name__ == "__main__":
    globals()[sys.argv[1]]()

"""Reports a job's failure: to the daemon for the run's row, to the pipe as one event, to the project's own hooks."""

import contextlib
import io
import logging
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from workerd.wire import exit_codes
from workerd.wire.events import emit
from workerd.wire.messages import Failed

from .secrets import SECRETS
from .standard_logging import REPORTED

MESSAGE_CHARACTERS = 2_000
TRACEBACK_CHARACTERS = 16_000
"""Both fit a packet of 160 KiB, also where JSON takes six bytes for each character."""


def drop_our_frames(error: BaseException) -> None:
    """Drop workerd's frames from the start of the traceback: it begins at the job's own code then."""
    frames = error.__traceback__
    while frames and frames.tb_next and frames.tb_frame.f_globals.get("__package__") == __package__:
        frames = frames.tb_next
    error.__traceback__ = frames


def describe_failure(error: BaseException) -> Failed:
    """Return ``error`` as a message that fits a packet; of a long traceback the end is kept, which tells most."""
    text = SECRETS.mask("".join(traceback.format_exception(error)))
    return Failed(
        exception=_dotted(type(error)),
        message=SECRETS.mask(_message(error))[:MESSAGE_CHARACTERS],
        traceback=text if len(text) <= TRACEBACK_CHARACTERS else f"…{text[-TRACEBACK_CHARACTERS:]}",
        **(_judge(error) if isinstance(error, Exception) else {}),
    )


def _judge(error: Exception) -> dict[str, str]:
    """Return the fields that say what a database has done to the job."""
    from workerd.conf import get_settings
    from workerd.forksafe.unreachable import judge

    outage = judge(error)
    if outage is None:
        return {}
    if outage.fault is None:
        return {"lost_session": outage.alias}
    which = "the database" if outage.alias == get_settings().database else f'the database "{outage.alias}"'
    return {"unreachable": outage.alias, "outage": f"{which} {outage.fault.value}"}


def log_failure(log: Any, slot: str, error: BaseException, failed: Failed) -> None:
    """Log ``error`` once into the pipe, and once to the project's other logging handlers (Sentry, mail).

    That a database is out is a warning at each try, without the traceback, which leads to no fault; the run's row has
    it.
    """
    others, extra = logging.getLogger("workerd.child"), {REPORTED: True}
    if failed.outage:
        emit(log, "job.failed", level="warning", exception_type=failed.exception, exception=failed.message)
        others.warning("%s ended, as %s: %s", slot, failed.outage, failed.message, extra=extra)
    else:
        emit(log, "job.failed", level="error", exception_type=failed.exception, exc_info=error)
        others.error("%s failed", slot, exc_info=error, extra=extra)


def call_excepthook(error: BaseException, failed: Failed) -> None:
    """Call the project's ``sys.excepthook`` (Sentry's, say), as Python does with what nobody has caught.

    A database that is out is no fault of the job, which is tried again until it is back: the hook is not called.
    Most hooks call Python's own at their end. The traceback that this one prints is left out: it is logged already.
    """
    from django.core.management import CommandError

    # A CommandError never reaches the hook in ``manage.py``, which prints it.
    if sys.excepthook is not sys.__excepthook__ and not isinstance(error, CommandError) and not failed.outage:
        sys.stderr.write(_printed(sys.excepthook, error).replace(_printed(sys.__excepthook__, error), "", 1))


def _printed(hook: Callable[..., object], error: BaseException) -> str:
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        try:
            hook(type(error), error, error.__traceback__)
        except BaseException:  # noqa: BLE001 - the project's hook may raise anything; Python prints it, too
            printed.write(f"Error in sys.excepthook:\n{traceback.format_exc()}")
    return printed.getvalue()


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of a process of ``manage.py`` that ``error`` ended; below 0 for a signal that ended it."""
    if isinstance(error, SystemExit):
        if error.code is None:
            return exit_codes.DONE
        return error.code & 0xFF if isinstance(error.code, int) else exit_codes.FAILED
    if isinstance(error, KeyboardInterrupt):
        return -signal.SIGINT
    from django.core.management import CommandError

    return error.returncode if isinstance(error, CommandError) else exit_codes.FAILED


def _dotted(cls: type[BaseException]) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - the project's __str__ may raise anything; the failure that is reported is worth more
        return f"<{type(broken).__name__} in its __str__>"

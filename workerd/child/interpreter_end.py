"""Does in a process what the Python interpreter does at its end, as ``os._exit`` does none of it.

The steps and their order are those of ``Py_FinalizeEx``: threads are joined (and with them executors), the functions of
``atexit`` run (and with them multiprocessing's), the streams are flushed.
"""

import atexit
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress

FLUSH_FAILED = 120
"""The exit code of an interpreter that could not write out its last output."""


def end_interpreter(code: int) -> int:
    """Join the threads, call the exit functions, flush the streams; return the code that the process exits with.

    What a step raises is printed, as the interpreter does, and the next step follows.
    """
    _attempt("threading._shutdown", threading._shutdown)  # type: ignore[attr-defined]
    _attempt("atexit", atexit._run_exitfuncs)
    return code if flush_streams() else FLUSH_FAILED


def flush_streams() -> bool:
    """Write out what the streams still hold; return whether all of it could be written."""
    flushed = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception:  # noqa: BLE001 - the job may have put any object in the stream's place
            flushed = stream is sys.stderr and flushed
    return flushed


def _attempt(name: str, step: Callable[[], object]) -> None:
    try:
        step()
    except BaseException:  # noqa: BLE001 - a signal handler of the job may raise anything in the middle
        with suppress(Exception):
            sys.stderr.write(f"Exception ignored in {name}:\n{traceback.format_exc()}")

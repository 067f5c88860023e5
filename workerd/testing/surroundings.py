"""The surroundings of a test's process, restored after a run that changes them."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from workerd.child.secrets import SECRETS


@contextmanager
def restored() -> Iterator[None]:
    """Restore, after the block, environment, arguments, folder, umask and signal handlers; forget secrets."""
    with ExitStack() as stack:
        for kept in (_environment, _arguments, _folder, _umask, _signals):
            stack.enter_context(kept())
        stack.callback(SECRETS.forget)
        yield


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})


@contextmanager
def _arguments() -> Iterator[None]:
    lists = [(values, list(values)) for values in (sys.argv, sys.orig_argv)]
    try:
        yield
    finally:
        sys.argv, sys.orig_argv = (values for values, _ in lists)
        for values, before in lists:
            values[:] = before


@contextmanager
def _folder() -> Iterator[None]:
    before = Path.cwd()
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _umask() -> Iterator[None]:
    before = os.umask(0)
    os.umask(before)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _signals() -> Iterator[None]:
    """Keep what Python code has set: a job may set handlers, as many commands do. Main thread only, as signals are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) != handler and handler is not None:
                signal.signal(number, handler)

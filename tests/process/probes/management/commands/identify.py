"""A command that starts processes in every way that Python and Django know, and says in each who it is."""

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import autoreload


def show() -> None:
    """Print the words that this process was started with, without the interpreter's own options."""
    sys.stdout.write(f"> {' '.join([os.path.basename(sys.argv[0]), *sys.argv[1:]])}\n")  # noqa: PTH119
    sys.stdout.flush()


def _process(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    process = context.Process(target=show)
    process.start()
    process.join()
    sys.stdout.write(f"> exit code {process.exitcode}\n")


def _pool(method: str) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        sys.stdout.write(f"> {pool.submit(abs, -3).result(timeout=60)}\n")


def _default_pool() -> None:
    """As on Python 3.14, whose default is the forkserver of multiprocessing."""
    multiprocessing.set_start_method("forkserver", force=True)
    with multiprocessing.Pool(1) as pool:
        sys.stdout.write(f"> {pool.map(abs, [-4])}\n")


def _execute() -> None:
    os.execv(sys.executable, [sys.executable, *sys.argv[:-1], "show"])


def _execute_original() -> None:
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:-1], "show"])


def _run_manage() -> None:
    subprocess.run([sys.executable, *sys.argv[:-1], "show"], check=True)


def _reload() -> None:
    """Run under Django's autoreloader, which starts the whole command line again."""

    def work() -> None:
        show()
        os._exit(0)

    if os.environ.get("RUN_MAIN") == "true":
        threading.Thread(target=work).start()
    autoreload.run_with_reloader(lambda: None)


WAYS = {
    "show": show,
    "original": lambda: sys.stdout.write(f"> {sys.orig_argv[-2:]}\n"),
    "fork": lambda: _process("fork"),
    "spawn": lambda: _process("spawn"),
    "forkserver": lambda: _process("forkserver"),
    "pool-fork": lambda: _pool("fork"),
    "pool-spawn": lambda: _pool("spawn"),
    "pool-forkserver": lambda: _pool("forkserver"),
    "default-pool": _default_pool,
    "execute": _execute,
    "execute-original": _execute_original,
    "run-manage": _run_manage,
    "reload": _reload,
}


class Command(BaseCommand):
    help = "Starts a process in one of many ways."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("way", choices=WAYS)

    def handle(self, *args: Any, **options: Any) -> None:
        WAYS[options["way"]]()

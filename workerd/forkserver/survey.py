"""Finds what the project has left running or open when it was loaded: none of it does in a child what it does alone."""

import os
import random
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from workerd.child.log_queues import listeners_of_queues, queue_handlers
from workerd.forksafe import sessions
from workerd.forksafe.drivers import descriptor_of
from workerd.forksafe.servers import name_of_server
from workerd.forksafe.sockets import open_sockets
from workerd.forksafe.threads import other_threads

MOST = 50
"""The most sentences that are logged; a project that leaves more has one kind of thing in many copies."""


def find_left_open() -> list[str]:
    """Return a sentence for each thread, process, socket and generator: what becomes of it, and the remedy.

    Looks at each object of the process, once, where a logger has a queue.
    """
    found = [sentence for look in (_threads, _processes, _sockets, _queues, _generators) for sentence in _all_of(look)]
    return found if len(found) <= MOST else [*found[:MOST], f"and {len(found) - MOST} more"]


def _all_of(look: Callable[[], Iterator[str]]) -> list[str]:
    """Return what ``look`` finds; the project's objects may raise at any touch, and that must not cost the start."""
    try:
        return list(look())
    except Exception as error:  # noqa: BLE001 - the border to the project's objects
        return [f"What the project leaves open was not all found ({look.__name__.strip('_')}): {error!r}"]


def find_running() -> list[str]:
    """Return a sentence for each thread, process and socket, and where a library has replaced Python's own sockets."""
    patched = socket.socket.__module__
    return [*_threads(), *_processes(), *_sockets(), *([patched] if patched != "socket" else [])]


def _threads() -> Iterator[str]:
    served = {listener._thread for listener in listeners_of_queues()}
    for thread in other_threads():
        if thread in served:
            yield f"The thread “{thread.name}” of a logging queue: each process of a job starts its own."
        elif not thread.name.startswith("pool-"):  # a pool of psycopg, which is closed before each fork
            yield (
                f"The thread “{thread.name}” ({_describe(thread)}) runs while the project is loaded, and in no process "
                "of a job: start it in a receiver of workerd.signals.child_started."
            )


def _describe(thread: threading.Thread) -> str:
    target = getattr(thread, "_target", None) or type(thread)
    return f"{getattr(target, '__module__', '?')}.{getattr(target, '__qualname__', type(target).__name__)}"


def _processes() -> Iterator[str]:
    for task in Path("/proc/self/task").glob("*/children"):
        for pid in task.read_text().split():
            try:
                name = Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:  # it has ended since
                continue
            yield (
                f"The process {pid} ({name}) was started while the project is loaded: all jobs share it. It ends "
                "with the forkserver. Start it in child_started where each process needs one."
            )


def _sockets() -> Iterator[str]:
    of_django = {descriptor_of(wrapper.connection) for wrapper in sessions.open_wrappers()}
    for sock in open_sockets():
        if sock.address:
            yield (
                f"The socket that listens at {sock.address}: a process of a job closes its copy, and a reload cannot "
                "listen there while this generation does. Listen in child_started, at a port of each process's own."
            )
        elif sock.descriptor not in of_django:
            server = name_of_server(sock.peer)
            yield (
                f"The connection to {f'{server} at ' if server else ''}{sock.peer}: a process of a job is cut off from "
                "it, as several would read each other's answers. Open it in child_started, or at its first use."
            )


def find_sessions() -> Iterator[str]:
    """Yield a sentence for each open database session; call it before they are closed for a fork."""
    for wrapper in sessions.open_wrappers():
        if not sessions.is_in_memory(wrapper):
            yield (
                f"The session with the database “{wrapper.alias}” is closed before a fork, and each process opens its "
                "own: what the project reads while it is loaded stays as it is until the next reload."
            )


def _queues() -> Iterator[str]:
    served = [listener.queue for listener in listeners_of_queues()]
    for logger, handler in queue_handlers():
        if not any(queue is handler.queue for queue in served):
            yield (
                f"The logger “{logger.name}” writes into a queue, and no QueueListener reads it: whatever does must be "
                "started in child_started, or the records are lost."
            )


def _generators() -> Iterator[str]:
    """Name random generators of the project's own modules: every process starts with the same numbers."""
    own = (str(Path.cwd()), *(path for path in sys.path if path and not _is_installed(path)))
    standard = os.path.dirname(os.__file__)  # noqa: PTH120
    for module in list(sys.modules.values()):
        path = str(vars(module).get("__file__") or "") if issubclass(type(module), ModuleType) else ""
        if path.startswith(own) and not path.startswith(standard) and not _is_installed(path):
            for name in _generators_in(module):
                yield (
                    f"The random generator {module.__name__}.{name} is made while the project is loaded: every process "
                    "draws the same numbers from it. Seed it in child_started, or make it at its first use."
                )


def _is_installed(path: str) -> bool:
    return "site-packages" in path or "dist-packages" in path  # Debian's name for it


def _generators_in(module: ModuleType) -> Iterator[str]:
    numpy: Any = sys.modules.get("numpy.random")
    kinds: tuple[Any, ...] = (random.Random, *((numpy.Generator, numpy.RandomState) if numpy else ()))
    for name, value in list(vars(module).items()):
        # By its type: isinstance() asks an object for __class__, which evaluates the lazy objects of a project.
        if issubclass(type(value), kinds) and not issubclass(type(value), random.SystemRandom):
            yield name

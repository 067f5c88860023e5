"""A program that the daemon starts by exec: a fresh process that ends with the daemon, and leads a group of its own."""

import os
import resource
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from workerd.wire import prctl
from workerd.wire.words import RUN_VARIABLE

from .proc import TREE_VARIABLE

EXEC_FAILED = 127


class Program(NamedTuple):
    """The command line of a process of workerd's own; ``limits`` are those on descriptors, which it gets back.

    ``cwd`` is the folder that it starts in, None for the daemon's.
    """

    argv: tuple[str, ...]
    tree: str
    limits: tuple[int, int]
    cwd: str | None = None

    def start(self, run: str, streams: tuple[int, int], inherited: Sequence[int]) -> int:
        """Start it, marked with ``run``, and return its pid. Raises OSError where the kernel refuses the fork.

        ``streams`` become its stdout and stderr; the numbers of the ``inherited`` descriptors end its command line.
        Where the exec fails it writes why to its stderr, and ends with EXEC_FAILED.
        """
        parent = os.getpid()
        pid = os.fork()
        if pid:
            with suppress(OSError):  # the child has done so itself, or has ended
                os.setpgid(pid, pid)
            return pid
        try:
            prctl.die_with_parent()
            if os.getppid() == parent:
                self._become(run, streams, inherited)
        except OSError as error:
            os.write(streams[1], self._explain(error).encode())
        finally:
            os._exit(EXEC_FAILED)

    def _explain(self, error: OSError) -> str:
        """Return why it could not be started, with what it was that failed."""
        names = {self.cwd: "the daemon's working directory", self.argv[0]: "the interpreter"}
        what = names.get(str(error.filename), "")
        return f"{error} ({what})" if what else str(error)

    def _become(self, run: str, streams: tuple[int, int], inherited: Sequence[int]) -> None:
        """Lead a group, ignore what a terminal or supervisor sends to all, then exec. Runs in the new process."""
        os.setpgid(0, 0)  # Ctrl-C and supervisor's stopasgroup reach the daemon's group, which decides what ends when
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)
        null = os.open(os.devnull, os.O_RDONLY)
        for place, descriptor in enumerate((null, *streams)):
            os.dup2(descriptor, place)
        for descriptor in inherited:
            os.set_inheritable(descriptor, True)
        if self.cwd is not None:
            os.chdir(self.cwd)
        argv = [*self.argv, *map(str, inherited)]
        environment = os.environ | {TREE_VARIABLE: self.tree, RUN_VARIABLE: run}
        os.execve(argv[0], argv, environment)  # noqa: S606 - the point: no shell, and the process is the program

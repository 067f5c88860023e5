"""Real processes that a run has left, with marks of the test's own, and a loop whose time the test has."""

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from workerd.daemon.processes.proc import TREE_VARIABLE, environment, look
from workerd.daemon.processes.reaper import OpenBirths
from workerd.wire.words import RUN_VARIABLE

from .fakes import FakeClock, loop_of, recording_log, turn
from .waiting import eventually

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
RUN = str(uuid.UUID(int=1))
OTHER_RUN = str(uuid.UUID(int=2))
IDENTITY = {"job": "feed", "slot": "feed:1", "run": RUN}


class Runs:
    """The daemon's own processes, the runs that live, and whether a child may come whose pid is not known yet."""

    def __init__(self) -> None:
        self.own: set[int] = set()
        self.living: set[str] = set()
        self.births: OpenBirths | None = None

    def owns(self, pid: int) -> bool:
        return pid in self.own

    def living_runs(self) -> set[str]:
        return self.living

    def open_births(self) -> OpenBirths | None:
        return self.births


class LeftoverSetup:
    """A tree of the test's own; time passes when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tree = f"/run/shop {uuid.uuid4()}"
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        self.log, self.lines = recording_log()
        self.runs = Runs()
        self.processes: list[subprocess.Popen[Any]] = []

    def start(
        self, *command: str, run: str = RUN, marks: dict[str, str] | None = None, user: int | None = None
    ) -> "subprocess.Popen[Any]":
        """Start a process with the marks of a run, or with ``marks``; return when it has executed its program."""
        marks = {TREE_VARIABLE: self.tree, RUN_VARIABLE: run} if marks is None else marks
        words = command or ("sleep", "60")
        speaks = words[0] == sys.executable
        process = subprocess.Popen(
            words,
            env=dict(os.environ) | marks,
            stdout=subprocess.PIPE if speaks else None,
            start_new_session=True,
            user=user,
        )
        self.processes.append(process)
        if process.stdout is not None:
            process.stdout.readline()
        else:
            eventually(lambda: (seen := look(process.pid)) is None or seen.name == words[0], what="its program")
            expected = {name.encode(): value.encode() for name, value in marks.items()}
            if user is None:
                eventually(lambda: expected.items() <= environment(process.pid).items(), what="its environment")
        return process

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        turn(self.loop)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def ended_by(process: "subprocess.Popen[Any]") -> int:
    """Return the signal that has ended a process."""
    return -process.wait(30)

"""One story of an engine: the row of its consumer, the tasks that it is given, and the marks that they leave."""

import itertools
import os
from typing import Any

from tests.harness.daemon import Daemon
from tests.harness.log import Event
from tests.harness.processes import Process, ProcessTree
from tests.harness.project import Project
from tests.harness.waiting import WITHIN_S, eventually

from .brokers import Broker
from .engine import Engine
from .shop.work import BEGAN, DONE

HEARTBEAT_S = 8.0
STOP_S = 30.0
ROW = {"heartbeat_timeout": HEARTBEAT_S, "heartbeat": "explicit", "stop_timeout": STOP_S, "signals_ready": True}
_numbers = itertools.count(1)
_tasks = itertools.count(0, 10_000)


class Case:
    """The rows of one test are called after ``name``; its tasks have numbers from ``first`` on."""

    def __init__(self, engine: Engine, project: Project, daemon: Daemon, broker: Broker | None) -> None:
        self.engine = engine
        self.project = project
        self.daemon = daemon
        self.broker = broker
        self.name = f"{engine.name}-{next(_numbers)}"
        self._first = self._next = next(_tasks)
        self._since = daemon.log.position

    def start(self, **fields: Any) -> None:
        """Add the row of the consumer, and return when all its processes are ready."""
        self.add(**fields)
        self.daemon.wait_events("child.ready", fields.get("processes", 1), since=self._since, job=self.name, within=60)

    def add(self, **fields: Any) -> None:
        """Add the row of the consumer, and return at once."""
        kwargs = {**self.engine.kwargs, **fields.pop("kwargs", {})}
        row = {**ROW, **self.engine.row, **fields}
        self.project.add_job(self.name, target=self.engine.target, kwargs=kwargs, **row)

    def pid(self) -> int:
        """Return the pid of the consumer, of which there is one."""
        return self.daemon.child_pid(self.name)

    def signal(self, number: int) -> None:
        """Send a signal to the consumer alone."""
        os.kill(self.pid(), number)

    def processes(self) -> list[Process]:
        """Return the consumer's process and all that have come of it."""
        return list(ProcessTree("nobody has this mark").look(self.pid()))

    def outlive(self, seconds: float) -> None:
        """Return when a process that falls silent now was found to hang, by a time-out of so many seconds."""
        silent = self.fall_silent(seconds)
        self.daemon.wait_event("child.hung", job=silent, within=seconds + WITHIN_S)
        self.project.jobs.filter(name=silent).delete()

    def fall_silent(self, seconds: float) -> str:
        """Start a process that falls silent, with a time-out of so many seconds; return the name of its row."""
        name = f"{self.name}-silent"
        row: dict[str, Any] = {"restart": "never", "stop_timeout": 0.1, "heartbeat_timeout": seconds}
        self.project.add_job(name, target="tests.engines.shop.jobs.fall_silent", **row)
        self.daemon.wait_event("child.ready", job=name)
        return name

    def enqueue(self, count: int, seconds: float = 0.0) -> list[int]:
        """Give the engine so many tasks, and return their numbers."""
        numbers = self.reserve(count)
        done = self.project.manage("enqueue", str(numbers[0]), str(count), str(seconds))
        assert done.returncode == 0, done.stderr
        return numbers

    def reserve(self, count: int) -> list[int]:
        """Return the numbers of so many tasks that the test gives the engine by itself."""
        numbers = list(range(self._next, self._next + count))
        self._next += count
        return numbers

    def began(self) -> list[int]:
        """Return the numbers of the tasks of this test that have begun, as often as they have."""
        return self._marked(BEGAN)

    def done(self) -> list[int]:
        """Return the numbers of the tasks of this test that are done, as often as they are."""
        return self._marked(DONE)

    def slots_at_work(self) -> set[int]:
        """Return the numbers of the slots that have done tasks of this test."""
        return {index for _, index in self._marks(DONE)}

    def wait_done(self, numbers: list[int], within: float = WITHIN_S) -> None:
        """Return when all of them are done."""
        eventually(
            lambda: set(numbers) <= set(self.done()), within, f"the tasks {numbers[0]} to {numbers[-1]} are done"
        )

    def wait_began(self, number: int, within: float = WITHIN_S) -> None:
        """Return when it has begun."""
        eventually(lambda: number in self.began(), within, f"the task {number} begins")

    def event(self, name: str, /, *, within: float = WITHIN_S, **match: Any) -> Event:
        """Return the first such event of this test's rows, waiting for it."""
        return self.daemon.wait_event(name, within=within, since=self._since, job=self.name, **match)

    def events(self, name: str, /, **match: Any) -> list[Event]:
        """Return such events of this test's rows so far."""
        return self.daemon.events(name, since=self._since, job=self.name, **match)

    def end(self) -> None:
        """Delete the rows; return when no process of theirs is left."""
        self.project.jobs.filter(name=self.name).delete()
        names = (self.name, f"{self.name}:0")
        eventually(lambda: not any(map(self.daemon.slot, names)), 2 * STOP_S, f"the end of {self.name}")

    def _marked(self, what: str) -> list[int]:
        return [number for number, _ in self._marks(what)]

    def _marks(self, what: str) -> list[tuple[int, int]]:
        texts = self.project.marks.filter(job=what).order_by("pk").values_list("text", flat=True)
        marks = [(int(number), int(index)) for number, index in map(str.split, texts)]
        return [(number, index) for number, index in marks if self._first <= number < self._next]

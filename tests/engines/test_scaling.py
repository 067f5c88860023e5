"""A scaler over RQ's queue: processes come with the tasks and go with them, and no task is cut short or done twice."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.fidelity.services import open_redis
from tests.harness.backends.backend import Databases
from tests.harness.daemon import Daemon, running
from tests.harness.log import Event
from tests.harness.project import Project
from tests.harness.proxy import Proxy
from tests.harness.waiting import eventually

from .engine import Engine, load_installed
from .shop.work import BEGAN, DONE

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]

CONSUMERS, SCALER = "mails", "scaler"
WITHIN_S = 120.0


class Site:
    """RQ's site, whose Redis is behind a proxy; rows are added anew by each test."""

    def __init__(self, engine: Engine, project: Project, daemon: Daemon, redis: Proxy) -> None:
        self.engine = engine
        self.project = project
        self.daemon = daemon
        self.redis = redis
        self._next = 0
        self._since = 0

    def add_rows(self, *, processes: int = 1, **kwargs: Any) -> None:
        """Add the consumers and their scaler; return when all are ready."""
        self._since = self.daemon.log.position
        row: dict[str, Any] = {"heartbeat_timeout": 8.0, "stop_timeout": 30.0, "signals_ready": True}
        self.project.add_job(CONSUMERS, target=self.engine.target, processes=processes, **row)
        self.daemon.wait_events("child.ready", processes, since=self._since, job=CONSUMERS)
        what = {"job": CONSUMERS, "depth": "rq:default", "most": 4, "per_process": 20, "calm": 2, "every": 1, **kwargs}
        self.project.add_job(SCALER, target="workerd.contrib.scaling.scale", kwargs=what, signals_ready=True)
        self.daemon.wait_event("child.ready", since=self._since, job=SCALER)

    def enqueue(self, count: int, seconds: float = 0.0) -> list[int]:
        """Give RQ so many tasks; return their numbers."""
        numbers = list(range(self._next, self._next + count))
        self._next += count
        done = self.project.manage("enqueue", str(numbers[0]), str(count), str(seconds))
        assert done.returncode == 0, done.stderr
        return numbers

    def numbers(self, mark: str = DONE) -> list[int]:
        """Return the numbers of the tasks that are done, or have begun, as often as they are."""
        texts = self.project.marks.filter(job=mark).values_list("text", flat=True)
        return sorted(int(text.split()[0]) for text in texts)

    def wait_numbers(self, numbers: list[int], mark: str = DONE) -> None:
        eventually(lambda: set(numbers) <= set(self.numbers(mark)), WITHIN_S, f"{len(numbers)} tasks to be {mark}")

    def processes(self) -> int:
        return self.project.jobs.get(name=CONSUMERS).processes

    def wait_processes(self, count: int) -> None:
        """Return when the row has so many, and so many processes run."""

        def is_so() -> bool:
            return self.processes() == count == len(self._running(CONSUMERS))

        eventually(is_so, WITHIN_S, f"{count} processes")

    def events(self, name: str, **match: Any) -> list[Event]:
        return self.daemon.events(name, since=self._since, **match)

    def wait_event(self, name: str, count: int = 1) -> None:
        self.daemon.wait_events(name, count, since=self._since, within=WITHIN_S)

    def set_calm(self, seconds: float) -> None:
        """Change the scaler's row, whose process starts anew."""
        row = self.project.jobs.get(name=SCALER)
        self.project.edit_job(SCALER, kwargs={**row.kwargs, "calm": seconds})

    def changes(self) -> list[tuple[int, int]]:
        return [(event["before"], event["processes"]) for event in self.events("scaling.changed")]

    def assert_nobody_was_hurt(self) -> None:
        """Every process that ended was asked to, and none had to be killed."""
        assert {event["outcome"] for event in self.events("child.exited", job=CONSUMERS)} <= {"stopped"}
        assert self.events("child.killed") == self.events("child.hung") == []

    def end(self) -> None:
        self.project.jobs.all().delete()
        eventually(lambda: not self._running(CONSUMERS, SCALER), WITHIN_S, "the end of their processes")
        self.project.marks.all().delete()

    def _running(self, *jobs: str) -> list[str]:
        told = self.daemon.picture()["slots"]
        return [slot["name"] for slot in told if slot["name"].partition(":")[0] in jobs and slot["pid"]]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with open_redis(tmp_path_factory.mktemp("redis")) as url:
        proxy = Proxy("127.0.0.1", int(url.rpartition(":")[2].partition("/")[0]))
        yield proxy
        proxy.close()


@pytest.fixture(scope="module")
def whole_site(
    redis: Proxy, databases: Databases, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    """The site with its daemon, running; at the end it stops, and leaves nothing."""
    engine, name = load_installed("rq"), f"workerd_scaling_{os.getpid()}"
    databases.create(name)
    with django_db_blocker.unblock():
        project = Project(Path(tmp_path_factory.mktemp("scaling")), databases, name)
        broker = f"redis://127.0.0.1:{redis.port}/0"
        project.extra_env = {"DJANGO_SETTINGS_MODULE": engine.settings, "ENGINES_BROKER": broker}
        project.settings["PRELOAD"] = ["tests.engines.waiting"]
        done = project.manage("migrate", "--verbosity=0")
        assert done.returncode == 0, done.stderr
        try:
            with running(project) as daemon:
                yield Site(engine, project, daemon, redis)
        finally:
            project.close()


@pytest.fixture
def site(whole_site: Site) -> Iterator[Site]:
    yield whole_site
    whole_site.redis.accept()
    whole_site.end()


@pytest.fixture
def daemon(whole_site: Site) -> Daemon:
    """The daemon whose log a failure shows."""
    return whole_site.daemon


@pytest.mark.many
def test_300_tasks_go_through_one_to_four_to_one_processes_each_done_once(site: Site, daemon: Daemon) -> None:
    site.add_rows()
    numbers = site.enqueue(300, seconds=0.05)
    site.wait_processes(4)
    site.wait_numbers(numbers)
    site.wait_processes(1)

    assert site.numbers() == site.numbers(BEGAN) == numbers
    changes = site.changes()
    assert changes[-3:] == [(4, 3), (3, 2), (2, 1)]
    assert [before for before, _ in changes[1:]] == [after for _, after in changes[:-1]]
    lines = site.project.operations.filter(verb="scale").order_by("requested").values_list("result", flat=True)
    assert [line.partition(":")[0] for line in lines] == [f"processes {before} → {after}" for before, after in changes]
    site.assert_nobody_was_hurt()


@pytest.mark.many
def test_it_holds_while_redis_is_away_and_goes_on_when_it_is_back(site: Site, daemon: Daemon) -> None:
    site.add_rows(processes=3, calm=30)
    site.redis.refuse()
    site.wait_event("scaling.held")
    site.set_calm(0)
    site.wait_event("scaling.held", 2)  # the scaler of the new calm, which would go down at its first count
    eventually(lambda: "held" in str(site.project.slots.get(job__name=SCALER).note), WITHIN_S, "its note")

    assert (site.processes(), site.changes()) == (3, [])
    site.redis.accept()
    site.wait_event("scaling.resumed")
    site.wait_processes(1)
    assert site.changes() == [(3, 2), (2, 1)]


@pytest.mark.many
def test_it_goes_down_no_further_than_what_is_in_hand(site: Site, daemon: Daemon) -> None:
    site.add_rows(processes=3, calm=0)
    site.wait_processes(1)
    site.set_calm(1000)
    site.project.edit_job(CONSUMERS, processes=3)
    site.wait_processes(3)
    numbers = site.enqueue(2, seconds=15.0)
    site.wait_numbers(numbers, BEGAN)
    site.set_calm(0)
    eventually(lambda: site.changes()[-1:] == [(3, 2)], WITHIN_S, "the one without a task to go")
    site.wait_event("scaling.changed", 4)

    assert site.changes()[2:] == [(3, 2), (2, 1)]
    assert set(site.numbers()) & set(numbers), "one of them was done before"
    site.wait_numbers(numbers)
    assert site.numbers() == numbers
    site.assert_nobody_was_hurt()


def test_it_scales_to_nothing_waits_for_the_task_in_hand_and_comes_back(site: Site, daemon: Daemon) -> None:
    """The project counts what waits alone, so nothing keeps the process whose task is in hand."""
    site.add_rows(depth="waiting:default", least=0, calm=0)
    site.wait_processes(0)
    (number,) = site.enqueue(1, seconds=6.0)
    site.wait_numbers([number], BEGAN)
    eventually(lambda: site.processes() == 0, WITHIN_S, "none to be wanted")
    assert site.numbers() == []
    site.wait_processes(0)

    assert site.numbers() == site.numbers(BEGAN) == [number]
    assert site.changes() == [(1, 0), (0, 1), (1, 0)]
    site.assert_nobody_was_hurt()

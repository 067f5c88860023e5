"""Several syncs at once, on the servers' own locks: rows are made once, and no edit is lost."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections, transaction

from workerd.definitions.definition import Definition
from workerd.models import Job
from workerd.sync import writing
from workerd.sync.report import Report
from workerd.sync.syncing import sync
from workerd.sync.writing import Request

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
NODES = 3
ROWS = 100
WITHIN_S = 60.0


def definitions(processes: int, count: int = ROWS) -> dict[str, Definition]:
    values = {"target": "shop.jobs.ship_orders", "processes": processes}
    return {f"job-{number:02}": Definition(f"job-{number:02}", values, "jobs.toml") for number in range(count)}


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Make the calls at the same moment, each on a connection of its own; return what they return or raise."""
    barrier, results = threading.Barrier(len(calls)), [None] * len(calls)

    def call(index: int) -> None:
        try:
            barrier.wait(WITHIN_S)
            results[index] = calls[index]()
        except Exception as error:  # noqa: BLE001 - the test says which are right
            results[index] = error  # type: ignore[call-overload]
        finally:
            connections.close_all()

    threads = [threading.Thread(target=call, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WITHIN_S)
    return results


@pytest.fixture(params=["", "DEFERRED"], ids=["", "deferred"])
def begins(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have SQLite's transactions begin as the settings say, and as Django has them by itself."""
    if request.param:
        if connection.vendor != "sqlite":
            pytest.skip("SQLite alone has this")
        monkeypatch.setitem(connections.settings["default"]["OPTIONS"], "transaction_mode", request.param)


@pytest.mark.usefixtures("begins")
def test_three_nodes_at_once_make_each_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All have planned before any writes, so that they meet in the database."""
    planned = threading.Barrier(NODES)
    carry_out = writing.carry_out

    def carry_out_together(request: Request, alias: str) -> Any:
        planned.wait(WITHIN_S)
        return carry_out(request, alias)

    monkeypatch.setattr("workerd.sync.syncing.carry_out", carry_out_together)

    reports = together(*[lambda: sync(Request(definitions(2), "shop"))] * NODES)

    assert [report for report in reports if not isinstance(report, Report)] == []
    assert sorted(Job.objects.values_list("name", "processes")) == [(name, 2) for name in definitions(2)]
    written = [sum(plan.is_written for plan in report.plans) for report in reports]
    assert sorted(written) == [0, 0, ROWS]


def test_an_edit_that_is_committed_after_sync_has_planned_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    sync(Request(definitions(2, count=2), "shop"))
    edited, planned = threading.Event(), threading.Event()
    carry_out = writing.carry_out

    def carry_out_later(request: Request, alias: str) -> Any:
        planned.set()
        return carry_out(request, alias)

    def edit() -> None:
        with transaction.atomic():
            Job.objects.filter(name="job-00").update(processes=7)
            edited.set()
            assert planned.wait(WITHIN_S)

    def sync_meanwhile() -> Report:
        assert edited.wait(WITHIN_S)
        return sync(Request(definitions(3, count=2), "shop"))

    monkeypatch.setattr("workerd.sync.syncing.carry_out", carry_out_later)

    _, report = together(edit, sync_meanwhile)

    assert isinstance(report, Report), report
    assert dict(Job.objects.values_list("name", "processes")) == {"job-00": 7, "job-01": 3}
    assert report.is_open


def test_a_sync_that_fails_half_way_has_written_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    save = Job.save

    def save_some(job: Job, *args: Any, **options: Any) -> None:
        if job.name == "job-10":
            raise RuntimeError("half way")
        save(job, *args, **options)

    monkeypatch.setattr(Job, "save", save_some)

    with pytest.raises(RuntimeError):
        sync(Request(definitions(2), "shop"))

    assert not Job.objects.exists()
    assert not connection.in_atomic_block

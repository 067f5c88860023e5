"""What Celery's consumer shows beside the stories: its lines, its limits, and a task that comes back for ever."""

from typing import Any

import pytest

from tests.harness.waiting import eventually

from .case import HEARTBEAT_S, Case

pytestmark = [pytest.mark.slow, pytest.mark.many, pytest.mark.backends("any")]
MODULE = "tests.engines.celery.tasks"
SCHEDULED = 999_999_999
"""The number of the task that the site's beat sends."""

prefork = pytest.mark.parametrize("engine", ["celery-prefork"], indirect=True)
solo = pytest.mark.parametrize("engine", ["celery-solo"], indirect=True)


def send(case: Case, task: str, *arguments: object, queue: str | None = None) -> None:
    """Give Celery a task of another kind than that of the stories."""
    code = f"from {MODULE} import {task}; {task}.apply_async({arguments!r}, queue={queue!r})"
    done = case.project.manage("shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("engine", ["celery-files", "celery-prefork", "celery-solo"], indirect=True)
def test_its_lines_and_those_of_a_task_carry_the_id(case: Case) -> None:
    case.start(kwargs={"loglevel": "INFO"})

    send(case, "speak")

    lines = [
        case.event(event, task_name=f"{MODULE}.speak", level="info") for event in ("by Celery's logger", "by structlog")
    ]
    task_id = lines[0]["task_id"]
    own = eventually(lambda: [line for line in case.daemon.events() if task_id in line["event"]])
    assert {line["task_id"] for line in [*lines, *own]} == {task_id}
    assert not [line for line in own if "data" in line]


@prefork
def test_a_task_that_hangs_in_the_pool_ends_by_its_time_limit(case: Case) -> None:
    """Its consumer is well meanwhile."""
    case.start(kwargs={"task_time_limit": 2 * HEARTBEAT_S, "concurrency": 1})
    (number,) = case.reserve(1)

    send(case, "never_end", number)
    case.wait_began(number)

    case.wait_done(case.enqueue(1), within=6 * HEARTBEAT_S)
    assert case.events("child.hung") == case.events("child.exited") == []


@solo
def test_a_task_that_hangs_comes_back_for_ever(case: Case) -> None:
    """With a late acknowledgement the broker lends it anew whenever its consumer is killed; others starve behind it."""
    case.start(kwargs={"queues": "celery-solo-patient"}, heartbeat_timeout=3.0, stop_timeout=0.5)
    (number,) = case.reserve(1)

    send(case, "never_end", number, queue="celery-solo-patient")

    eventually(lambda: case.began().count(number) >= 4, within=180)


@solo
def test_a_delivery_limit_ends_a_task_that_hangs(case: Case) -> None:
    case.start(kwargs={"queues": "celery-solo-limited"}, heartbeat_timeout=3.0, stop_timeout=0.5)
    hangs, works = case.reserve(2)

    send(case, "never_end", hangs, queue="celery-solo-limited")
    case.wait_began(hangs)
    send(case, "work", works, 0, queue="celery-solo-limited")

    case.wait_done([works], within=180)
    assert case.began().count(hangs) == 3


@prefork
def test_a_broker_that_is_away_at_the_start_is_waited_for(case: Case) -> None:
    assert case.broker is not None
    case.broker.stop()
    try:
        case.add(signals_ready=False)
        case.event("child.born")
        case.outlive(1.5 * HEARTBEAT_S)
    finally:
        case.broker.start()

    case.wait_done(case.enqueue(3), within=60)
    assert case.events("child.hung") == case.events("child.exited") == []


@solo
def test_its_beat_sends_idles_and_stops(case: Case) -> None:
    """Also where its broker is away: no time of it is lost, and it is no hang."""
    assert case.broker is not None
    case.start()
    row: dict[str, Any] = {"heartbeat_timeout": HEARTBEAT_S, "heartbeat": "explicit", "signals_ready": True}
    name = f"{case.name}-beat"
    case.project.add_job(name, target="workerd.contrib.celery.beat", **row)
    sent = case.project.marks.filter(text__startswith=f"{SCHEDULED} ")
    eventually(lambda: sent.count() >= 6, within=60)

    case.broker.stop()
    try:
        case.outlive(1.5 * HEARTBEAT_S)
    finally:
        case.broker.start()
    before = sent.count()
    eventually(lambda: sent.count() >= before + 6, within=60)

    case.project.edit_job(name, enabled=False)
    end = case.daemon.wait_event("child.exited", job=name)
    assert (end["outcome"], end["exit_code"]) == ("stopped", 0)
    assert case.daemon.events("child.hung", job=name) == []


@prefork
def test_without_an_app_the_error_says_where_to_name_it(case: Case) -> None:
    done = case.project.manage("shell", "--no-imports", "-c", "from workerd.contrib.celery import worker; worker(None)")

    assert done.returncode != 0
    assert 'name it in WORKERD["PRELOAD"]' in done.stderr

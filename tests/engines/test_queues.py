"""What RQ, huey and dramatiq have beside every engine's stories: limits of a task, its lines, suspended workers."""

from typing import Any

import pytest

from tests.harness.waiting import eventually

from .case import HEARTBEAT_S, Case

pytestmark = [pytest.mark.slow, pytest.mark.many, pytest.mark.backends("any")]

THREADS = pytest.mark.parametrize("engine", ["dramatiq-redis", "huey-threads"], indirect=True, scope="module")
LONG_S = 3600.0


@THREADS
def test_a_thread_that_is_over_the_limit_of_a_task_is_found_with_its_stack(case: Case) -> None:
    case.start(kwargs={"task_timeout": 2.0}, stop_timeout=1.0)
    (number,) = case.enqueue(1, seconds=LONG_S)
    case.wait_began(number)

    case.event("child.hung", within=4 * HEARTBEAT_S)

    assert "in do_work" in case.event("child.stack")["stack"]
    assert case.event("child.exited")["outcome"] == "hung"


@pytest.mark.parametrize("engine", ["huey-processes"], indirect=True, scope="module")
def test_a_process_that_is_over_the_limit_of_a_task_is_interrupted(case: Case) -> None:
    case.start(kwargs={"task_timeout": 2.0, "workers": 1})
    (number,) = case.enqueue(1, seconds=LONG_S)
    case.wait_began(number)

    case.wait_done(case.enqueue(1), within=60)

    assert number not in case.done()
    assert case.events("child.hung") == case.events("child.exited") == []


@pytest.mark.parametrize(
    "engine", ["dramatiq-redis", "huey-processes", "huey-threads", "rq"], indirect=True, scope="module"
)
def test_lines_of_a_task_say_so(case: Case) -> None:
    case.start()
    first, second = case.enqueue(2)
    case.wait_done([first, second])

    lines = [case.event(f"task {number}", level="warning") for number in (first, second)]

    assert all(len(line["task_id"]) > 30 for line in lines)
    assert len({line["task_id"] for line in lines}) == 2
    assert {line["task_name"].rpartition(".")[2] for line in lines} <= {"do_work", "work"}


@pytest.mark.parametrize("engine", ["rq"], indirect=True, scope="module")
def test_a_suspended_worker_is_no_hang(case: Case) -> None:
    from redis import Redis
    from rq.suspension import resume, suspend
    from rq.worker import Worker

    assert case.broker is not None
    connection: Any = Redis.from_url(case.broker.url)

    def states() -> list[str]:
        """Return those of this test's workers: a killed one of another test stays known for minutes."""
        return [each.get_state() for each in Worker.all(connection) if each.name.startswith(f"{case.name}-")]

    case.start()
    suspend(connection)
    try:
        eventually(lambda: states() == ["suspended"], what="suspension")
        numbers = case.enqueue(1)
        case.outlive(1.5 * HEARTBEAT_S)
        assert case.done() == []
    finally:
        resume(connection)
        connection.close()

    case.wait_done(numbers)
    assert case.events("child.hung") == case.events("child.exited") == []


@pytest.mark.parametrize(
    "engine", ["dramatiq-rabbitmq", "dramatiq-redis", "huey-threads", "rq"], indirect=True, scope="module"
)
def test_a_broker_that_answers_nothing_for_a_while_is_waited_for(case: Case) -> None:
    assert case.broker is not None
    case.start()
    case.wait_done(case.enqueue(1))

    case.broker.freeze()
    try:
        case.outlive(1.5 * HEARTBEAT_S)
    finally:
        case.broker.thaw()

    case.wait_done(case.enqueue(3), within=60)
    assert case.events("child.hung") == case.events("child.exited") == []

"""What engines that keep their tasks in the database have beside every engine's stories: limits, lines, lost tasks."""

import pytest

from .case import HEARTBEAT_S, Case

pytestmark = [pytest.mark.slow, pytest.mark.many, pytest.mark.backends("any")]

LONG_S = 3600.0


@pytest.mark.parametrize(
    "engine",
    ["db_worker", "ox_worker", "procrastinate", "q2", "rq_worker", "steady_queue"],
    indirect=True,
    scope="module",
)
def test_lines_of_a_task_say_so(case: Case) -> None:
    case.start()
    first, second = case.enqueue(2)
    case.wait_done([first, second])

    lines = [case.event(f"task {number}", level="warning") for number in (first, second)]

    assert len({line["task_id"] for line in lines}) == 2
    assert all(line["task_name"] for line in lines)


@pytest.mark.parametrize("engine", ["db_worker"], indirect=True, scope="module")
def test_a_task_that_takes_too_long_is_found_with_its_stack(case: Case) -> None:
    case.start(kwargs={"task_timeout": 4.0, "requeue_lost": False}, stop_timeout=1.0)
    (number,) = case.enqueue(1, seconds=LONG_S)
    case.wait_began(number)

    assert case.event("child.hung", within=2 * HEARTBEAT_S)["silent_s"] < HEARTBEAT_S
    assert "in do_work" in case.event("child.stack")["stack"]
    assert case.event("child.exited")["outcome"] == "hung"
    case.wait_done(case.enqueue(1))
    assert case.began().count(number) == 1


@pytest.mark.parametrize("engine", ["procrastinate"], indirect=True, scope="module")
def test_a_coroutine_that_blocks_the_loop_is_found(case: Case) -> None:
    case.start(stop_timeout=1.0)

    code = "from tests.engines.procrastinate.tasks import block; block.defer()"
    assert case.project.manage("shell", "--no-imports", "-c", code).returncode == 0

    assert "in block" in case.event("child.stack", within=4 * HEARTBEAT_S)["stack"]
    assert case.event("child.exited")["outcome"] == "hung"


@pytest.mark.parametrize("engine", ["q2"], indirect=True, scope="module")
def test_a_task_over_the_limit_of_the_cluster_is_ended_there(case: Case) -> None:
    case.start(kwargs={"timeout": 2})
    numbers = case.enqueue(2, seconds=LONG_S)
    case.wait_began(numbers[0])

    case.wait_done(case.enqueue(1), within=60)

    assert case.events("child.hung") == case.events("child.exited") == []

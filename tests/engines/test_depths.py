"""What a scaler counts of each engine: the tasks that wait for a process."""

import pytest

from tests.harness.waiting import eventually

from .case import Case

pytestmark = [pytest.mark.slow, pytest.mark.many, pytest.mark.backends("any")]


def waiting(case: Case) -> int:
    """Return how many tasks wait; none where there is no queue yet."""
    done = case.project.manage("depth", case.engine.depth)
    return int(done.stdout or 0) if done.returncode == 0 else 0


def test_what_waits_is_counted_and_nothing_of_what_is_done(case: Case) -> None:
    if not case.engine.depth:
        pytest.skip("a scaler has no count of its own for it")
    assert waiting(case) == 0
    numbers = case.enqueue(3)
    assert eventually(lambda: waiting(case) == len(numbers), what="all to be counted")

    case.start()
    case.wait_done(numbers)
    assert eventually(lambda: waiting(case) == 0, what="none to be counted")

"""Every engine's consumer under workerd: it works, idles, finishes what it has in hand, and is found where it hangs."""

import pytest

from .case import Case

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]


def test_it_does_what_it_is_given(case: Case) -> None:
    case.start()
    case.wait_done(case.enqueue(3))

    assert sorted(case.done()) == sorted(set(case.done()))
    assert case.events("child.hung") == case.events("child.exited") == []


def test_a_stop_finishes_the_task_in_hand(case: Case) -> None:
    case.start()
    (number,) = case.enqueue(1, seconds=3.0)
    case.wait_began(number)

    case.project.edit_job(case.name, enabled=False)

    end = case.event("child.exited", within=60)
    assert end["outcome"] == "stopped"
    assert case.done() == [number]

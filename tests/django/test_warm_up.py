"""What spare and forkserver do ahead: an error in it would come to nothing, and each child would do all of it."""

import pytest

from tests.harness.forks import live
from workerd import JobContext, job, registry
from workerd.child import practice, warm_up
from workerd.child.output_pipe import OUTPUT

pytestmark = pytest.mark.backends("any")


def needs_arguments(context: JobContext, price: int) -> None:
    """Do nothing for a price."""


@pytest.mark.parametrize("is_job", [True, False])
def test_a_spare_gets_to_the_end_of_its_warm_up(monkeypatch: pytest.MonkeyPatch, is_job: bool) -> None:
    """Also where there is no job, or the first one needs arguments."""

    def play() -> str:
        monkeypatch.setattr(registry, "_registered", {})
        if is_job:
            job(needs_arguments)
        OUTPUT.take(1)
        warm_up.start_without_effect()
        return "warm"

    assert live("os.fork", play).child == "warm"


@pytest.mark.parametrize("is_job", [True, False])
def test_the_forkserver_gets_to_the_end_of_its_practice(monkeypatch: pytest.MonkeyPatch, is_job: bool) -> None:
    def play() -> str:
        monkeypatch.setattr(registry, "_registered", {})
        if is_job:
            job(needs_arguments)
        practice.practise_once()
        return "practised"

    assert live("os.fork", play).child == "practised"


def test_an_error_in_it_costs_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ValueError("a project's own logging")

    monkeypatch.setattr(warm_up, "start_without_effect", fail)
    monkeypatch.setattr(practice, "practise_once", fail)

    warm_up.warm_up_process()
    practice.practise()

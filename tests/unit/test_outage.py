"""An outage beats at each try, says so now and then, and lets every other error pass."""

from types import SimpleNamespace
from typing import Any

import pytest

from workerd.contrib import outage
from workerd.contrib.outage import SAYS_EVERY_S, Outage


class Context:
    """Counts beats."""

    def __init__(self) -> None:
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(outage, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_an_outage_ends_the_block_and_beats() -> None:
    context: Any = Context()
    tries = []

    for _ in range(3):
        with Outage(context, "the broker", ConnectionError, TimeoutError):
            tries.append("begun")
            raise TimeoutError("no answer")

    assert len(tries) == context.beats == 3


def test_another_error_passes() -> None:
    context: Any = Context()

    with pytest.raises(ValueError, match="a defect"), Outage(context, "the broker", ConnectionError):
        raise ValueError("a defect")

    assert context.beats == 0


def test_a_block_that_succeeds_is_none() -> None:
    context: Any = Context()

    with Outage(context, "the broker", ConnectionError):
        pass

    assert context.beats == 0


def test_it_says_so_once_in_a_while(clock: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    context: Any = Context()
    away = Outage(context, "Redis")

    for _ in range(25):
        away.goes_on(ConnectionError("refused"))
        clock.now += 1.0

    assert [record.message for record in caplog.records] == ["Redis is away: refused"] * 3
    assert SAYS_EVERY_S == 10.0
    assert context.beats == 25

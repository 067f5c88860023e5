"""A job whose seat is over: whatever it does through its context tells it so, and no turn is given to it."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from workerd import JobContext, SeatLostError
from workerd.child.beats import Beats
from workerd.child.runtime import ProcessRuntime
from workerd.child.seat import HeldSeat
from workerd.child.stopping import StopRequest
from workerd.wire.page import HeartbeatPage

TOKEN = 41


class NoSender:
    """Stands where messages to the daemon would go."""

    def send(self, message: Any) -> None:
        """Drop the message."""


@pytest.fixture
def page() -> Iterator[HeartbeatPage]:
    page = HeartbeatPage.create()
    yield page
    page.close()


@pytest.fixture
def context(page: HeartbeatPage) -> Iterator[JobContext]:
    stop, beats = StopRequest(), Beats(page, 60.0)
    runtime, seat = ProcessRuntime(beats, stop), HeldSeat("feed:1", 7, 1, TOKEN, page)
    yield JobContext(
        "feed", 1, "a run", beats=beats, stop=stop, runtime=runtime, sender=NoSender(), log=None, seat=seat
    )
    stop.close()


def boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def _first(turns: Any) -> None:
    await anext(turns)


USES: dict[str, Callable[[JobContext], Any]] = {
    "beat": lambda context: context.beat("a note"),
    "wait": lambda context: context.wait(0),
    "every": lambda context: next(iter(context.every(0))),
    "each": lambda context: next(iter(context.each([1]))),
    "await_stop": lambda context: asyncio.run(context.await_stop(0)),
    "aevery": lambda context: asyncio.run(_first(context.aevery(0))),
    "aeach": lambda context: asyncio.run(_first(context.aeach([1]))),
    "fenced": lambda context: context.fenced().__enter__(),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_seat_that_is_over_raises(context: JobContext, page: HeartbeatPage, use: Callable[[JobContext], Any]) -> None:
    page.hold_until(boot() - 0.001)

    with pytest.raises(SeatLostError, match=r"feed:1 has lost its seat \(token 41\): its node could not renew it"):
        use(context)


@pytest.mark.parametrize("use", [use for name, use in USES.items() if name != "fenced"])
@pytest.mark.parametrize("until", [3600.0, float("inf")], ids=["held", "goes on"])
def test_a_seat_that_is_held_lets_the_job_work(
    context: JobContext, page: HeartbeatPage, until: float, use: Callable[[JobContext], Any]
) -> None:
    page.hold_until(boot() + until)

    use(context)


def test_a_turn_that_began_in_time_is_the_last_one(context: JobContext, page: HeartbeatPage) -> None:
    page.hold_until(boot() + 3600.0)
    turns = iter(context.every(0))
    assert next(turns) == 0
    page.hold_until(boot())

    with pytest.raises(SeatLostError):
        next(turns)


def test_the_context_has_the_token(context: JobContext) -> None:
    assert context.token == TOKEN


def test_a_job_without_a_seat_has_no_token_and_loses_nothing(page: HeartbeatPage) -> None:
    stop, beats = StopRequest(), Beats(page, 60.0)
    runtime = ProcessRuntime(beats, stop)
    context = JobContext("feed", 0, "a run", beats=beats, stop=stop, runtime=runtime, sender=NoSender(), log=None)
    page.hold_until(1.0)
    context.beat()
    stop.close()

    assert context.token is None

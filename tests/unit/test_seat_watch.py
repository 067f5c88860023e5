"""When a node looks at the seats: at its time, and soon where a seat that was given up may be its own to take."""

import math
import uuid
from typing import Any

import pytest

from workerd.ledger.seats import watch as module
from workerd.ledger.seats.asked import Asked, Wanted
from workerd.ledger.seats.choice import Choice, Plan
from workerd.ledger.seats.holder import Holder
from workerd.ledger.seats.home import Home
from workerd.ledger.seats.look import Looks
from workerd.ledger.seats.place import Me
from workerd.ledger.seats.requests import Requests
from workerd.ledger.seats.session import Session
from workerd.ledger.seats.waking import GivenUp
from workerd.ledger.seats.watch import HELP_S, HELPERS, Watch
from workerd.wire.spec import JobSpec

R = 5.0
ME = Me(1, uuid.UUID(int=1))
ASKED = Asked(Wanted(1, (JobSpec(name="feed", id=7, scope="fleet"),)))
FREE = GivenUp((7, 0), 2)


class Story:
    """A watch at boot time ``now``, and for each look that it takes whether it counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.rank: int | None = 0
        self.looks: list[bool] = []
        home, requests = Home("default", ME.life, None, "{}"), Requests()
        monkeypatch.setattr(module, "boot_time", lambda: self.now)
        monkeypatch.setattr(Looks, "look", lambda *_: None)
        self.ripe_at = math.inf
        monkeypatch.setattr(Choice, "look", self._look)
        monkeypatch.setattr(Choice, "ripe_at", property(lambda _: self.ripe_at))
        monkeypatch.setattr(Choice, "rank", lambda *_: self.rank)
        self.watch = Watch(home, Holder(home, requests, print), requests, print)

    def _look(self, *_: Any, counts: bool) -> Plan:
        self.looks.append(counts)
        return Plan("s1")

    def look(self) -> bool:
        """Take a turn; return whether that was a look."""
        before = len(self.looks)
        session: Session = None  # type: ignore[assignment]
        self.watch.look(session, ME, ASKED, R, 0.0)
        return len(self.looks) > before

    def hear(self, rank: int | None) -> None:
        self.rank = rank
        self.watch.hear([FREE], ME, ASKED)


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    story = Story(monkeypatch)
    assert story.look()
    assert not story.look()
    return story


def test_it_looks_each_interval(story: Story) -> None:
    story.now += R

    assert story.look()
    assert story.looks == [True, True]


def test_it_looks_when_a_silent_holders_time_is_over(story: Story) -> None:
    story.now += R
    story.ripe_at = story.now + 1.0
    assert story.look()
    story.now += 1.0

    assert story.look()


def test_the_node_whose_seat_it_is_looks_at_once_and_that_look_does_not_count(story: Story) -> None:
    story.hear(0)

    assert story.look()
    assert story.looks == [True, False]
    assert story.watch.due == story.now + R


def test_the_next_in_rank_look_a_little_later(story: Story) -> None:
    story.hear(HELPERS)
    assert not story.look()
    story.now += HELPERS * HELP_S

    assert story.look()


@pytest.mark.parametrize("rank", [HELPERS + 1, None])
def test_all_others_wait_for_their_time(story: Story, rank: int | None) -> None:
    """So the looks at a release are as many in a large fleet as in a small one."""
    story.hear(rank)

    assert story.watch.due == story.now + R


def test_after_an_outage_the_next_look_comes_at_some_moment_of_the_interval(story: Story) -> None:
    story.watch.soon()
    dues = []
    for _ in range(50):
        story.watch.within(R)
        dues.append(story.watch.due - story.now)

    assert 0.0 <= min(dues) < R / 4
    assert R * 3 / 4 < max(dues) <= R

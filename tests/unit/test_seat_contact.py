"""Five hundred keepers and a server that is restarted: nobody comes at the same moment as all others (case 46)."""

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import OperationalError

from workerd.ledger.seats import contact as module
from workerd.ledger.seats.contact import Contact
from workerd.wire.lease import renewal_interval

NODES = 500
F = 30.0
R = renewal_interval(F)
GONE = OperationalError("server closed the connection unexpectedly")


class Clock:
    """Boot time, as a test sets it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeSession:
    """A session without a server."""

    def __init__(self, *_: object) -> None:
        self.connection = object()

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    random.seed(15)
    monkeypatch.setattr(module, "boot_time", clock)
    monkeypatch.setattr(module, "Session", FakeSession)
    monkeypatch.setattr(module, "describe", lambda *_: "it is restarted")
    monkeypatch.setattr(module, "emit", lambda *_, **__: None)
    yield clock
    random.seed()


def come_back(clock: Clock, nodes: int, out_s: float) -> tuple[list[float], list[float]]:
    """Return when each of so many nodes was first answered after an outage, and after its begin."""
    contacts = [Contact("default") for _ in range(nodes)]
    begin = clock.now
    answered = []
    for contact in contacts:
        clock.now = begin + R * random.uniform(0.0, 1.0)
        contact.pace(F)
        while clock.now < begin + out_s:
            contact.failed(GONE, nodes)
            clock.now = contact.retry_at
        assert contact.answered() is (contact.retry_at > 0.0)
        answered.append(clock.now - begin - out_s)
    return answered, [contact.retry_at for contact in contacts]


@pytest.mark.parametrize("out_s", [0.5, 3.0, 60.0])
def test_renewals_after_a_restart_are_spread(clock: Clock, out_s: float) -> None:
    answered, _ = come_back(clock, NODES, out_s)
    a_tenth = Counter(int(at * 10) for at in answered)

    assert max(a_tenth.values()) < NODES / 8
    assert max(answered) < R


def test_a_node_alone_is_back_within_a_second(clock: Clock) -> None:
    answered, _ = come_back(clock, 1, 20.0)

    assert max(answered) <= module.LONGEST_RETRY_S


def test_only_the_first_answer_after_a_loss_is_told_as_such() -> None:
    contact = Contact("default")
    contact.pace(F)
    told = [contact.answered()]
    contact.failed(GONE, 1)
    confirmed = [contact.confirmed]
    told += [contact.answered(), contact.answered()]
    confirmed += [contact.confirmed]

    assert (told, confirmed) == ([False, True, False], [False, True])


def test_an_outage_is_told_once() -> None:
    contact = Contact("default")
    contact.pace(F)

    assert [contact.failed(GONE, NODES) for _ in range(4)] == [False, True, False, False]

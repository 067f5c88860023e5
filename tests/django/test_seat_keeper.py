"""The keeper, as the ledger has it: what it tells the daemon, and what it does when database, daemon or code fail."""

import threading
import uuid
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django.db import connections

from tests.harness.proxy import Proxy
from tests.harness.waiting import TooLateError, eventually
from workerd.ledger.seats.fleet import Fleet
from workerd.ledger.seats.look import Looks
from workerd.models import Job, Node, Seat
from workerd.models.clock import DatabaseNow
from workerd.wire.lease import boot_time
from workerd.wire.messages import (
    Alive,
    Draining,
    License,
    Message,
    NodeDisplaced,
    SeatReleased,
    SeatsElsewhere,
    SeatsHeld,
)
from workerd.wire.spec import JobSpec

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

F = 10.0
WITHIN_S = 30.0


class Ledger:
    """A node's part of the ledger, in this process; ``eventually`` has its daemon say that it turns."""

    def __init__(self, host: str, **license: Any) -> None:  # noqa: A002 - the wire's word
        self.life = uuid.uuid4()
        self.row = Node.objects.create(name="shop", host=host, life=self.life, pulse=DatabaseNow())
        self.said: list[Message] = []
        licence = License({}, 0, "run", 1, "shop", host, "mark", life=str(self.life), **license)
        self.fleet = Fleet("default", licence, {"zone": "a"}, self.said.append)

    def want(self, *jobs: Job) -> None:
        specs = [
            JobSpec(
                name=job.name,
                id=job.pk,
                processes=job.processes,
                scope="fleet",
                takeover_after=F,
                where=job.where or "",
            )
            for job in jobs
        ]
        self.fleet.want(self.row.pk, specs)

    def eventually(self, condition: Callable[[], Any], what: str) -> None:
        def turn() -> bool:
            self.fleet.hear(Alive(boot_time(), []))
            return bool(condition())

        try:
            eventually(turn, WITHIN_S, what)
        except TooLateError as error:
            pytest.fail(f"{error}; it said {self.said[-8:]}")

    def heard(self, cls: type[Message]) -> list[Any]:
        return [message for message in self.said if isinstance(message, cls)]

    def tokens(self) -> dict[int, int]:
        """Return by number the tokens of the last renewal's seats."""
        whole = [message for message in self.heard(SeatsHeld) if message.whole]
        return {index: token for _, index, token, _ in whole[-1].seats} if whole else {}

    def reasons(self) -> dict[int, str]:
        told: dict[int, str] = {}
        for message in self.heard(SeatsElsewhere):
            told |= {index: reason for _, index, reason, _ in message.seats}
        return told

    def holds(self, count: int) -> None:
        self.eventually(lambda: len(self.tokens()) == count, f"{count} seats")

    def runs(self) -> bool:
        thread = self.fleet._thread
        return thread is not None and thread.is_alive()

    def release(self, job: Job, index: int) -> None:
        self.fleet.hear(SeatReleased(job.pk, index, self.tokens()[index]))


@pytest.fixture
def start() -> Iterator[Callable[..., Ledger]]:
    started: list[Ledger] = []

    def start_ledger(host: str = "us", **license: Any) -> Ledger:  # noqa: A002 - the wire's word
        started.append(Ledger(host, **license))
        return started[-1]

    yield start_ledger
    for ledger in started:
        ledger.fleet.end(WITHIN_S)
        assert not ledger.runs()


@pytest.fixture
def job() -> Job:
    return Job.objects.create(name="feed", target="feed.run", scope="fleet", processes=2, takeover_after=F)


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Have every keeper reach the database over a link that can be silenced."""
    values = connections.settings["default"]  # of which each thread makes its connection; this one's may be another's
    proxy = Proxy(values["HOST"] or "127.0.0.1", int(values["PORT"]))
    monkeypatch.setitem(values, "HOST", "127.0.0.1")
    monkeypatch.setitem(values, "PORT", str(proxy.port))
    if values["ENGINE"].endswith("postgresql"):  # in clear, so that the link sees a COMMIT
        monkeypatch.setitem(values, "OPTIONS", {**values.get("OPTIONS", {}), "sslmode": "disable"})
    elif import_module("MySQLdb").__name__ == "pymysql":  # which takes TLS where the server has it
        monkeypatch.setitem(values, "OPTIONS", {**values.get("OPTIONS", {}), "ssl_disabled": True})
    yield proxy
    proxy.flow()
    proxy.refuse()


def test_seats_are_made_claimed_renewed_and_given_up(start: Callable[..., Ledger], job: Job) -> None:
    us = start()
    us.want(job)
    us.holds(2)
    assert [message.whole for message in us.heard(SeatsHeld) if message.seats][:2] == [False, False]
    held = Seat.objects.filter(index=0, life=us.life, token=us.tokens()[0])
    us.release(job, 0)
    us.eventually(lambda: not held.exists(), "the release")  # the next look may claim it again, with another token
    us.fleet.hear(Draining(draining=True))
    us.eventually(lambda: Node.objects.get(pk=us.row.pk).draining, "the drain")

    assert Node.objects.get(pk=us.row.pk).labels == '{"zone": "a"}'


def test_nothing_is_claimed_before_the_daemon_says_that_it_turns(start: Callable[..., Ledger], job: Job) -> None:
    us = start()
    us.want(job)
    eventually(lambda: len(us.reasons()) == 2, WITHIN_S, "a look")

    assert Seat.objects.exclude(life=None).count() == 0
    assert us.heard(SeatsHeld) == []


def test_a_keeper_ends_with_the_last_fleet_job_and_seat(start: Callable[..., Ledger], job: Job) -> None:
    us = start()
    us.want()
    assert not us.runs()
    us.want(job)
    us.holds(2)
    us.want()
    us.eventually(us.tokens, "a renewal of what is held still")
    assert us.runs()
    for index in (0, 1):
        us.release(job, index)
    us.eventually(lambda: not us.runs(), "the keeper's end")
    us.want(job)

    us.holds(2)


def test_two_nodes_share_the_seats_and_one_takes_over_what_the_other_gives_up(
    start: Callable[..., Ledger], job: Job
) -> None:
    us, them = start("us"), start("them")
    for ledger in (us, them):
        ledger.want(job)

    def both(condition: Callable[[], Any], what: str) -> None:
        def turn() -> Any:
            them.fleet.hear(Alive(boot_time(), []))
            return condition()

        us.eventually(turn, what)

    both(lambda: len(us.tokens()) + len(them.tokens()) == 2, "all seats held")
    both(lambda: len(us.tokens()) == 1 == len(them.tokens()) or len(us.reasons()) == 2, "their words")
    us.fleet.hear(Draining(draining=True))
    for index in us.tokens():
        us.release(job, index)
    both(lambda: len(them.tokens()) == 2, "the other node's seats")
    both(lambda: all("another node has it: shop@them" in reason for reason in us.reasons().values()), "the reason")

    assert Seat.objects.filter(life=them.life).count() == 2


def test_a_life_that_was_displaced_says_so_and_ends(start: Callable[..., Ledger], job: Job) -> None:
    us = start()
    us.want(job)
    us.holds(2)
    Node.objects.update(life=uuid.uuid4())
    us.eventually(lambda: us.heard(NodeDisplaced), "its word")

    us.eventually(lambda: not us.runs(), "the keeper's end")


def test_the_same_node_has_its_seats_back_at_once(start: Callable[..., Ledger], job: Job) -> None:
    killed = uuid.uuid4()
    for index in range(2):
        Seat.objects.create(job=job, index=index, life=killed, token=7, beat=3, takeover_ms=3_600_000)
    us = start(earlier=str(killed), same_boot=True, settled=True)
    us.want(job)
    us.holds(2)

    assert min(us.tokens().values()) > 7


def test_an_error_of_ours_is_said_and_the_renewals_go_on(
    start: Callable[..., Ledger], job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, look = list[str](), Looks.look
    monkeypatch.setattr("workerd.ledger.seats.contact.emit", lambda name, **_: said.append(name))
    us = start()
    us.want(job)
    us.holds(2)

    def fail_once(*_: Any) -> Any:
        monkeypatch.setattr(Looks, "look", look)
        raise KeyError("ours")

    monkeypatch.setattr(Looks, "look", fail_once)
    us.eventually(lambda: "seats.failed" in said, "the event")
    before = len(us.heard(SeatsHeld))

    us.eventually(lambda: len(us.heard(SeatsHeld)) > before, "a renewal")


@pytest.mark.backends("postgres", "mysql")
def test_while_the_database_is_silent_nothing_is_confirmed(start: Callable[..., Ledger], job: Job, link: Proxy) -> None:
    us = start()
    us.want(job)
    us.holds(2)
    tokens, beat = us.tokens(), Seat.objects.get(index=0).beat
    link.silence()
    us.eventually(lambda: set(us.reasons().values()) == {"the database is out"}, "the reason")
    confirmed = len(us.heard(SeatsHeld))
    assert us.fleet._thread is not None
    link.flow()
    us.eventually(lambda: len(us.heard(SeatsHeld)) > confirmed, "a renewal")

    assert us.heard(SeatsHeld)[confirmed].whole
    assert us.tokens() == tokens
    assert Seat.objects.get(index=0).beat > beat


@pytest.mark.backends("postgres", "mysql")
def test_a_claim_whose_answer_is_lost_is_found_by_a_renewal(
    start: Callable[..., Ledger], job: Job, link: Proxy
) -> None:
    us = start()
    us.want(job)
    us.holds(2)
    link.commit_loss = 1.0
    us.release(job, 0)
    us.eventually(lambda: link.commits_lost > 0, "a lost answer")
    link.commit_loss = 0.0

    us.eventually(lambda: len(us.tokens()) == 2, "both seats")
    assert {seat.token for seat in Seat.objects.filter(life=us.life)} == set(us.tokens().values())


def test_no_thread_is_left(start: Callable[..., Ledger]) -> None:
    start().want()

    assert "keeper" not in {thread.name for thread in threading.enumerate()}

"""The fleet's table of alerts: of all nodes one sends, another takes over what is not sent, and one sends the end."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connections

from workerd.models import FleetAlert
from workerd.models.clock import DatabaseNow
from workerd.notifier import fleet_alerts
from workerd.notifier.claim import Claim
from workerd.notifier.fleet_alerts import Answer, FleetAlerts, Questions
from workerd.notifier.outbox import Unclaimed

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "node_silent shop@web3"


class OneNode:
    """A node that sees one matter of the fleet."""

    def __init__(self, name: str, key: str = KEY) -> None:
        self.table = FleetAlerts("default", name)
        self.id = str(uuid.uuid4())
        self.key = key

    def ask(self, claim: Claim = Claim.WANTED, *sent: str) -> Answer:
        question = Unclaimed(1, self.id, self.key, "node_silent", claim, "it is silent")
        [answer] = self.table.ask(Questions([question], sent))
        self.id = answer.id
        return answer


def test_one_claims_and_the_others_wait_and_then_leave_it_to_it() -> None:
    one, two = OneNode("one"), OneNode("two")

    assert one.ask().claim is Claim.MINE
    assert two.ask().claim is Claim.WANTED
    assert one.ask(Claim.WANTED, one.id).claim is Claim.MINE
    told = two.ask()
    assert (told.claim, told.id) == (Claim.THEIRS, one.id)


def test_what_is_not_sent_in_time_another_takes_over_once_with_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = OneNode("one"), OneNode("two"), OneNode("three")
    one.ask()
    monkeypatch.setattr(fleet_alerts, "TAKE_OVER_AFTER", timedelta(seconds=-1))
    taken = two.ask()
    monkeypatch.setattr(fleet_alerts, "TAKE_OVER_AFTER", timedelta(seconds=60))

    assert (taken.claim, taken.id) == (Claim.MINE, one.id)
    assert three.ask().claim is Claim.WANTED
    assert FleetAlert.objects.get().node == "two"


def test_one_sends_the_end_whoever_has_sent_the_alert() -> None:
    one, two = OneNode("one"), OneNode("two")
    one.ask()
    one.ask(Claim.WANTED, one.id)
    ended = two.ask(Claim.OVER)

    assert (ended.claim, ended.id) == (Claim.ENDED, one.id)
    assert one.ask(Claim.OVER).claim is Claim.GONE


def test_the_end_of_what_was_not_sent_says_so() -> None:
    one = OneNode("one")
    one.ask()

    assert one.ask(Claim.OVER).claim is Claim.ENDED_UNSENT


def test_what_a_node_has_forgotten_is_still_its_own() -> None:
    OneNode("one").ask()
    assert OneNode("one").ask().claim is Claim.MINE


def test_keys_that_differ_in_case_or_are_long_are_different_matters() -> None:
    keys = ("node_silent a", "node_silent A", "x" * 400 + "1", "x" * 400 + "2", "hung \ud800\0", "höh \U0001f600")

    assert [OneNode("one", key).ask().claim for key in keys] == [Claim.MINE] * len(keys)
    assert FleetAlert.objects.count() == len(keys)


def test_many_that_ask_at_once_have_one_claimer_and_one_end() -> None:
    nodes = [OneNode(f"node-{number}") for number in range(4)]

    def all_at_once(claim: Claim) -> list[Claim]:
        found: list[Claim] = []
        barrier = threading.Barrier(len(nodes))

        def ask(node: OneNode) -> None:
            barrier.wait()
            try:
                found.append(node.ask(claim).claim)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=ask, args=(node,)) for node in nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    claims = all_at_once(Claim.WANTED)
    assert sorted(claims) == [Claim.MINE, *[Claim.WANTED] * 3]
    ends = all_at_once(Claim.OVER)
    assert sorted(ends) == [Claim.ENDED_UNSENT, *[Claim.GONE] * 3]


def test_the_table_is_bounded_by_age_and_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    OneNode("one", "old").ask()
    FleetAlert.objects.update(claimed_at=DatabaseNow() - timedelta(days=31))
    OneNode("one", "new").ask()
    assert [row.key for row in FleetAlert.objects.all()] == ["new"]

    monkeypatch.setattr(fleet_alerts, "MOST_ROWS", 2)
    for number in range(3):
        OneNode("one", f"newer {number}").ask()
    assert sorted(row.key for row in FleetAlert.objects.all()) == ["newer 1", "newer 2"]

"""The notifier's outbox with its journal in memory: what leaves, when, how often, and what is only counted."""

import itertools
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd.alert_entries import AlertEntry
from workerd.notifier.alert import Alert
from workerd.notifier.arrivals import MOST_DELIVERIES
from workerd.notifier.departures import Parcel
from workerd.notifier.outbox import Outbox
from workerd.notifier.rules import GIVE_UP_AFTER_S, HOUR_S, REFUSED_TRIES
from workerd.notifier.store import AlertStore
from workerd.wire.alerts import ALERT_KINDS, Severity
from workerd.wire.messages import AlertChanged

NOW = 1_760_000_000.0
QUIET_S = 900.0
LIFE = "life-1"


class Desk:
    """An outbox with a clock and ways that send at once."""

    def __init__(
        self, ways: Mapping[str, AlertEntry] | None = None, per_hour: int = 60, quiet_s: float = QUIET_S
    ) -> None:
        self.now = NOW
        self.store = AlertStore(None)
        weakref.finalize(self, self.store.close)
        entries = {"mail": AlertEntry(1, "mail")} if ways is None else ways
        takes = {name: entry.takes for name, entry in entries.items()}
        self.outbox = Outbox(self.store, takes, "shop@host", quiet_s, per_hour)
        self.sequence = itertools.count(1)

    def change(self, key: str, *, over: bool = False, **values: Any) -> AlertChanged:
        kind = values.pop("kind", key.partition(" ")[0])
        values = {"text": f"{key}: a reason", **values}
        return AlertChanged(next(self.sequence), key, kind, over, self.now, **values)

    def say(self, key: str, *, over: bool = False, **values: Any) -> None:
        self.take(self.change(key, over=over, **values))

    def take(self, *changes: AlertChanged) -> None:
        self.outbox.take(changes, LIFE, self.now)

    def next(self, way: str = "mail") -> Parcel | None:
        return self.outbox.next_for(way, self.now)

    def send(self, way: str = "mail") -> list[Alert]:
        """Send what leaves now."""
        sent = []
        while (parcel := self.next(way)) is not None:
            self.outbox.sent(way, parcel, self.now)
            sent.append(parcel.alert)
        return sent

    def shown(self, way: str = "mail") -> list[tuple[str, str]]:
        return [(alert.state, alert.key) for alert in self.send(way)]


def desk(**values: Any) -> Desk:
    return Desk(**values)


def test_what_is_raised_leaves_at_once_and_so_does_its_end_with_the_same_id() -> None:
    it = desk()
    it.say("parked a:0", job="a", slot="a:0", labels={"team": "b"})
    [raised] = it.send()
    it.now += 5
    it.say("parked a:0", over=True)
    [resolved] = it.send()

    assert (raised.state, raised.key, raised.severity, raised.node) == ("raised", "parked a:0", "critical", "shop@host")
    assert (raised.job, raised.slot, raised.labels, raised.count, raised.held_back) == (
        "a",
        "a:0",
        {"team": "b"},
        1,
        {},
    )
    assert (resolved.state, resolved.id, resolved.since, resolved.at) == ("resolved", raised.id, NOW, NOW + 5)
    assert it.outbox.unsent() == 0


def test_the_same_state_told_again_is_nothing_new() -> None:
    it = desk()
    for _ in range(3):
        it.say("parked a:0")
    assert it.shown() == [("raised", "parked a:0")]
    for _ in range(3):
        it.say("parked a:0", over=True)

    assert it.shown() == [("resolved", "parked a:0")]


def test_messages_that_the_daemon_sends_again_are_known_by_their_sequence() -> None:
    it = desk()
    changes = [it.change("hung a:0"), it.change("hung a:0", over=True)]
    it.take(*changes)
    it.send()
    it.take(*changes)

    assert it.send() == []


def test_what_was_over_before_it_could_leave_is_one_message() -> None:
    it = desk()
    it.say("hung a:0")
    it.say("hung a:0", over=True)

    assert it.shown() == [("passed", "hung a:0")]


def test_an_alert_without_an_end_is_raised_each_time_and_then_forgotten() -> None:
    it = desk(quiet_s=0)
    for moment in range(3):
        it.now = NOW + moment
        it.say("seat_lost a:0")
        assert it.shown() == [("raised", "seat_lost a:0")]
    assert it.store.do(lambda sqlite: sqlite.execute("SELECT COUNT(*) FROM alert").fetchone()) == (0,)


# quiet time


def test_a_key_raised_again_within_the_quiet_time_is_counted_and_sent_when_it_is_over() -> None:
    it = desk()
    it.say("hung a:0")
    it.say("hung a:0", over=True)
    it.send()
    for moment in (100, 200, 300):
        it.now = NOW + moment
        it.say("hung a:0", over=True)
        it.say("hung a:0")
    assert it.send() == []
    it.now = NOW + QUIET_S + 0.1
    [again] = it.send()

    assert (again.state, again.count, again.since) == ("raised", 3, NOW + 300)


def test_what_ended_within_the_quiet_time_is_said_after_it_with_its_count() -> None:
    it = desk()
    it.say("hung a:0")
    it.say("hung a:0", over=True)
    it.send()
    it.now = NOW + 10
    it.say("hung a:0")
    it.say("hung a:0", over=True)
    assert it.send() == []
    it.now = NOW + QUIET_S + 0.1

    assert [(alert.state, alert.count) for alert in it.send()] == [("passed", 1)]


def test_the_end_of_what_was_sent_waits_for_no_quiet_time() -> None:
    it = desk()
    it.say("hung a:0")
    it.send()
    it.now = NOW + 1
    it.say("hung a:0", over=True)

    assert it.shown() == [("resolved", "hung a:0")]


def test_another_key_does_not_wait() -> None:
    it = desk()
    it.say("hung a:0")
    it.send()
    it.say("hung a:1")

    assert it.shown() == [("raised", "hung a:1")]


def test_a_clock_that_was_set_back_holds_nothing_up_for_long() -> None:
    it = desk()
    it.say("hung a:0")
    parcel = it.next()
    assert parcel is not None
    it.outbox.failed("mail", parcel, it.now, refused=False)
    it.now = NOW - 10 * 86400

    assert it.shown() == [("raised", "hung a:0")]


# the hour


def test_no_more_than_the_hours_number_leaves_and_the_next_one_counts_the_rest() -> None:
    it = desk(per_hour=5)
    it.take(*[it.change(f"hung a:{n}") for n in range(20)], *[it.change(f"parked b:{n}") for n in range(2)])

    assert [key for _, key in it.shown()] == ["parked b:0", "parked b:1", "hung a:0", "hung a:1", "hung a:2"]

    it.now = NOW + HOUR_S - 1
    assert it.send() == []
    it.now = NOW + HOUR_S + 1
    it.say("hung late")

    [first, late] = it.send()
    assert (first.key, first.held_back) == ("hung a:3", {"hung": 16})
    assert (late.key, late.held_back) == ("hung late", {})
    assert it.outbox.unsent() == 0


def test_the_end_of_what_was_sent_is_never_only_counted() -> None:
    it = desk(per_hour=2)
    it.take(it.change("hung a:0"), it.change("hung a:1"))
    it.send()
    it.take(it.change("hung a:0", over=True), it.change("hung a:1", over=True), it.change("hung a:2"))
    assert it.send() == []
    it.now = NOW + HOUR_S + 1

    states = it.shown()
    assert states == [("resolved", "hung a:0"), ("resolved", "hung a:1")]


def test_each_way_has_an_hour_of_its_own() -> None:
    it = desk(ways={"mail": AlertEntry(1, "mail"), "hook": AlertEntry(2, "webhook")}, per_hour=1)
    it.say("hung a:0")

    assert it.shown("mail") == it.shown("hook") == [("raised", "hung a:0")]


# which way


@pytest.mark.parametrize(
    ("entry", "job", "labels", "kind", "taken"),
    [
        ({}, "a", {}, "hung", True),
        ({}, "", {}, "hung", True),
        ({"severity": Severity.CRITICAL}, "a", {}, "hung", False),
        ({"severity": Severity.CRITICAL}, "a", {}, "parked", True),
        ({"labels": {"team": "b"}}, "a", {"team": "b", "zone": "x"}, "hung", True),
        ({"labels": {"team": "b"}}, "a", {"team": "c"}, "hung", False),
        ({"labels": {"team": "b"}}, "a", {}, "hung", False),
        ({"labels": {"team": "b"}}, "", {}, "database_out", False),
    ],
)
def test_severity_and_labels_say_which_way(
    entry: Any, job: str, labels: dict[str, str], kind: str, taken: bool
) -> None:
    it = desk(ways={"mail": AlertEntry(1, "mail", **entry)})
    it.say(f"{kind} x", job=job, labels=labels)

    assert bool(it.send()) is taken


# a new daemon


def test_what_a_new_daemon_does_not_name_is_over_unless_it_outlives_one() -> None:
    it = desk()
    it.take(*map(it.change, ("parked a:0", "parked b:0", "missed c", "failed d")))
    it.send()
    it.now += 60
    it.outbox.settle(["parked b:0", "unknown"], it.now, fleet=False)

    assert it.shown() == [("resolved", "parked a:0")]


def test_what_is_the_fleets_is_settled_apart() -> None:
    it = desk()
    it.take(*map(it.change, ("node_silent a", "parked a:0")))
    it.outbox.settle([], it.now, fleet=True)

    assert [(alert.key, alert.claim) for alert in it.outbox.unclaimed()] == [("node_silent a", "over")]
    assert it.shown() == [("raised", "parked a:0")]


def test_what_no_way_takes_is_not_claimed_for_the_fleet() -> None:
    it = desk(ways={"mail": AlertEntry(1, "mail", labels={"team": "b"})})
    it.say("node_silent a")

    assert it.outbox.unclaimed() == []


def test_a_key_that_no_journal_takes_is_cleaned() -> None:
    it = desk()
    it.say("hung \ud800\0", text="\ud800\0", job="\ud800")
    [alert] = it.send()

    assert alert.key == "hung \ufffd\ufffd"


def test_a_kind_of_a_newer_daemon_is_a_warning() -> None:
    it = desk()
    it.say("never_heard_of x")
    [alert] = it.send()

    assert (alert.severity, alert.says) == ("warning", "never_heard_of")


# failures


def test_a_try_that_failed_is_made_again_later_with_the_same_id_and_lets_others_pass() -> None:
    it = desk()
    it.take(it.change("parked a:0"), it.change("hung b:0"))
    first = it.next()
    assert first is not None
    assert it.outbox.failed("mail", first, it.now, refused=False) == NOW + 1
    assert it.shown() == [("raised", "hung b:0")]
    it.now = NOW + 1

    [again] = it.send()
    assert again == first.alert


def test_what_fails_for_a_day_is_set_aside_and_counted_in_the_next() -> None:
    it = desk()
    it.say("hung a:0")
    tries = 0
    while (parcel := it.next()) is not None:
        tries += 1
        retry_at = it.outbox.failed("mail", parcel, it.now, refused=False)
        it.now = retry_at or it.now
    it.say("parked b:0")

    assert it.now - NOW > GIVE_UP_AFTER_S
    assert 200 < tries < 400
    assert [alert.held_back for alert in it.send()] == [{"hung": 1}]


def test_what_is_refused_is_set_aside_after_a_few_tries() -> None:
    it = desk()
    it.say("hung a:0")
    tries = 0
    while (parcel := it.next()) is not None:
        tries += 1
        it.now = it.outbox.failed("mail", parcel, it.now, refused=True) or it.now

    assert tries == REFUSED_TRIES


def test_raised_anew_while_the_first_is_on_its_way_waits_for_the_quiet_time() -> None:
    it = desk()
    it.say("hung a:0")
    on_the_way = it.next()
    assert on_the_way is not None
    it.say("hung a:0", over=True)
    it.say("hung a:0")
    it.outbox.sent("mail", on_the_way, it.now)

    assert it.shown() == [("resolved", "hung a:0")]
    it.now = NOW + QUIET_S + 1
    assert it.shown() == [("raised", "hung a:0")]


# bounds


def test_ten_thousand_alerts_at_once_are_sent_or_counted() -> None:
    it = desk(ways={"mail": AlertEntry(1, "mail"), "hook": AlertEntry(2, "webhook")})
    it.take(*[it.change(f"hung a:{n}") for n in range(10_000)])
    told = 0
    for _ in range(2):
        for way in ("mail", "hook"):
            told += sum(1 + sum(alert.held_back.values()) for alert in it.send(way))
        it.now += HOUR_S + 1

    assert told == 20_000
    assert it.outbox.unsent() == 0


def test_above_the_bound_the_oldest_go_and_are_counted() -> None:
    it = desk(per_hour=100_000)
    it.take(*[it.change(f"hung a:{n}") for n in range(MOST_DELIVERIES + 3)])
    first = it.next()

    assert first is not None
    assert (first.alert.key, first.alert.held_back) == ("hung a:3", {"hung": 3})


def test_ways_that_the_settings_no_longer_have_are_forgotten() -> None:
    it = desk(ways={"mail": AlertEntry(1, "mail"), "hook": AlertEntry(2, "webhook")})
    it.say("hung a:0")
    later = Outbox(it.store, {"mail": AlertEntry(1, "mail").takes}, "shop@host", QUIET_S, 60)
    later.start(it.now)
    assert later.unsent() == 1
    parcel = later.next_for("mail", it.now)
    assert parcel is not None
    later.sent("mail", parcel, it.now)

    assert later.unsent() == 0


def test_what_still_holds_after_weeks_is_not_said_again_and_its_end_is() -> None:
    it = desk()
    it.take(it.change("parked a:0"), it.change("missed b"))
    it.send()
    it.now += 40 * 86400
    it.outbox.start(it.now)
    it.say("parked a:0")
    assert it.send() == []
    it.take(it.change("parked a:0", over=True), it.change("missed b", over=True))

    assert it.shown() == [("resolved", "parked a:0")]


# properties

KEYS = ("hung a:0", "hung a:1", "parked a:0", "failed c", "seat_lost s")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(KEYS), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from((0.5, 30.0, 400.0, 1000.0, 4000.0)), st.just(None)),
        st.tuples(st.just("send"), st.booleans(), st.just(None)),
    ),
    max_size=60,
)


def steps_of(it: Desk, steps: list[Any]) -> Iterator[Alert]:
    """Carry the steps out, then let hours pass; yield what has left."""
    for what, first, second in [*steps, *[("wait", 4000.0, None), ("send", True, None)] * 40]:
        if what == "say":
            it.say(first, over=second)
        elif what == "wait":
            it.now += first
        elif (parcel := it.next()) is not None:
            if first:
                it.outbox.sent("mail", parcel, it.now)
                yield parcel.alert
            else:
                it.outbox.failed("mail", parcel, it.now, refused=False)


@given(steps=STEPS, per_hour=st.integers(1, 4))
def test_whatever_happens_nothing_leaves_twice_nothing_is_lost_and_the_hour_holds(
    steps: list[Any], per_hour: int
) -> None:
    it = desk(per_hour=per_hour)
    times: list[float] = []
    left: list[Alert] = []
    for alert in steps_of(it, steps):
        left.append(alert)
        times.append(it.now)
        assert sum(it.now - HOUR_S < at for at in times) <= per_hour

    assert len({alert.message_id for alert in left}) == len(left)
    assert it.outbox.unsent() == 0
    said = {first for what, first, over in steps if what == "say" and not over}
    counted = {kind for alert in left for kind in alert.held_back}
    for key in said:
        assert any(alert.key == key for alert in left) or key.partition(" ")[0] in counted
    for alert in left:  # what has an end, and was sent, is resolved by the end or holds
        if alert.state == "raised" and not ALERT_KINDS[alert.kind].over_at_once:
            assert any(other.message_id == f"{alert.id}.resolved" for other in left) or _holds(it, alert.id)


def _holds(it: Desk, id_: str) -> bool:
    query = "SELECT holds FROM alert WHERE id = ?"
    return bool(it.store.do(lambda sqlite: sqlite.execute(query, (id_,)).fetchone()) == (1,))

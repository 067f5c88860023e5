"""What this node holds, by lists that come late, twice or out of order; healthy renewals ask no process to stop."""

import math

from hypothesis import given
from hypothesis import strategies as st

from workerd.daemon.rules.holdings import Change, Holding, Holdings
from workerd.ledger.seats.contact import FIRST_RETRY_S
from workerd.ledger.seats.session import CUT_AFTER_S, patience
from workerd.wire import lease

FEED = (1, 0)
F = 30.0
SHORTEST_F, LONGEST_F = 10.0, 3600.0
takeovers = st.floats(SHORTEST_F, LONGEST_F)


def seat(token: int = 1, takeover_after: float = F, place: tuple[int, int] = FEED) -> list[float]:
    return [*place, token, takeover_after]


def held(*lists: tuple[float, list[list[float]], bool]) -> tuple[Holdings, list[Change]]:
    """Return what is held after these lists, and the changes of the last one."""
    holdings, changes = Holdings(), []
    for sent, seats, whole in lists:
        changes = holdings.take(sent, seats, whole=whole)
    return holdings, changes


def of_feed(holdings: Holdings) -> Holding:
    holding = holdings.get(FEED)
    assert holding is not None
    return holding


def test_a_renewal_moves_the_deadline_on() -> None:
    holdings, _ = held((100.0, [seat()], True), (105.0, [seat()], True))

    assert of_feed(holdings).deadline == lease.kill_at(105.0, F)


def test_what_was_sent_earlier_changes_nothing() -> None:
    holdings, changes = held((105.0, [seat()], True), (100.0, [], True), (101.0, [seat(2)], False))

    assert changes == []
    assert (of_feed(holdings).token, of_feed(holdings).sent) == (1, 105.0)


def test_a_whole_list_takes_what_it_lacks_unless_that_was_claimed_later() -> None:
    claimed = [seat(place=(2, 0))]
    holdings, changes = held((100.0, [seat()], True), (106.0, claimed, False), (105.0, [], True))

    assert [(change.place, change.now) for change in changes] == [(FEED, None)]
    assert holdings.get(FEED) is None
    assert holdings.get((2, 0)) is not None


def test_a_claim_that_was_sent_before_a_whole_list_without_it_revives_nothing() -> None:
    holdings, _ = held((100.0, [], True), (99.0, [seat()], False))

    assert not holdings


def test_an_edit_of_takeover_after_counts_from_the_renewal_that_carries_it() -> None:
    holdings, _ = held((100.0, [seat(takeover_after=300.0)], True), (105.0, [seat(takeover_after=10.0)], True))

    assert of_feed(holdings).deadline == lease.kill_at(105.0, 10.0)


def test_another_token_is_another_holding() -> None:
    holdings, [change] = held((100.0, [seat(1)], True), (105.0, [seat(2)], True))

    assert change.lost is not None
    assert (change.lost.token, of_feed(holdings).token, change.is_new) == (1, 2, True)


def test_a_renewal_ends_the_doubt_and_no_release() -> None:
    holdings, _ = held((100.0, [seat()], True))
    holding = of_feed(holdings)
    holding.in_doubt = holding.released = True
    holdings.take(105.0, [seat()], whole=True)

    assert (holding.in_doubt, holding.released) == (False, True)


def test_a_seat_that_goes_on_has_no_deadline_until_it_is_lost() -> None:
    holding = Holding(FEED, 1, 100.0, F, goes_on=True)
    assert (holding.deadline, holding.may_start(10_000.0)) == (math.inf, True)
    holding.lose(10_000.0)

    assert holding.deadline == 10_000.0 + F / 3


@given(takeovers, st.floats(0.0, LONGEST_F), st.floats(-10.0, 2 * LONGEST_F))
def test_a_lost_seat_leaves_its_process_no_more_than_it_had(takeover_after: float, sent: float, later: float) -> None:
    holding = Holding(FEED, 1, sent, takeover_after)
    before = holding.deadline
    holding.lose(sent + later)

    assert holding.deadline <= before


@given(takeovers, st.floats(0.0, 86_400.0), st.lists(st.floats(0.8, 1.0), min_size=1, max_size=30), st.data())
def test_with_renewals_answered_in_time_no_process_is_asked_to_stop_nor_kept_from_its_start(
    takeover_after: float, stop_timeout: float, pauses: list[float], data: st.DataObject
) -> None:
    """Renewals are sent every R (x 0.8 to 1.0) and answered within R/2: the moment before each answer is the worst."""
    interval = lease.renewal_interval(takeover_after)
    holdings, sent = Holdings(), 1_000.0
    holdings.take(sent, [seat(takeover_after=takeover_after)], whole=True)
    for pause in pauses:
        sent += pause * interval
        answered = sent + data.draw(st.floats(0.0, 0.5)) * interval
        holding = of_feed(holdings)
        assert answered < holding.ask_at(stop_timeout)
        assert holding.may_start(answered)
        holdings.take(sent, [seat(takeover_after=takeover_after)], whole=True)


@given(takeovers, st.floats(0.0, 86_400.0))
def test_one_lost_answer_asks_no_process_to_stop(takeover_after: float, stop_timeout: float) -> None:
    """The keeper waits for it, cuts its connection, and renews over a new one, which is answered within R/4."""
    interval = lease.renewal_interval(takeover_after)
    holdings, _ = held((1_000.0, [seat(takeover_after=takeover_after)], True))
    again = 1_000.0 + interval + patience(takeover_after) + CUT_AFTER_S + FIRST_RETRY_S

    assert again + interval / 4 < of_feed(holdings).ask_at(stop_timeout)


lists = st.lists(
    st.tuples(st.integers(0, 100), st.dictionaries(st.integers(0, 2), st.integers(1, 4), max_size=3), st.booleans()),
    max_size=12,
)


@given(lists)
def test_no_order_of_lists_gives_more_time_than_the_newest_that_names_the_seat(
    told: list[tuple[int, dict[int, int], bool]],
) -> None:
    holdings = Holdings()
    for sent, seats, whole in told:
        holdings.take(float(sent), [seat(token, place=(1, index)) for index, token in seats.items()], whole=whole)

    newest_whole = max((sent for sent, _, whole in told if whole), default=-1)
    for holding in holdings:
        named = [sent for sent, seats, _ in told if seats.get(holding.place[1]) == holding.token]
        assert holding.sent == max(sent for sent in named if sent <= holding.sent)
        assert holding.sent >= newest_whole

"""The faults of ``starts_after`` that only other rows can tell, as sentences."""

from typing import Any

import pytest

from workerd.job_rules.start_order import (
    Place,
    find_followers_fault,
    find_order_faults,
    find_unknown_names,
)
from workerd.job_rules.stored_json import UnreadableJson


def places(**named: list[str]) -> dict[str, Place]:
    return {name: Place("", names) for name, names in named.items()}


def test_an_order_without_a_circle_has_no_fault() -> None:
    rows = places(web=["bridge", "migrate"], bridge=["migrate"], migrate=[])

    assert [find_order_faults(name, rows) for name in rows] == [[], [], []]


def test_a_circle_is_shown_from_the_job_that_is_judged() -> None:
    rows = places(a=["b"], b=["c"], c=["a"], outside=["a"])

    assert find_order_faults("b", rows) == [
        "starts_after makes a circle, b → c → a → b, in which each job would wait for the next: remove one name."
    ]
    assert find_order_faults("outside", rows) == []


def test_a_job_that_names_itself_is_told_so_by_its_own_rules_alone() -> None:
    assert find_order_faults("a", places(a=["a"])) == []


def test_a_job_with_a_schedule_is_refused_from_either_side() -> None:
    rows = {**places(web=["nightly"], feed=["nightly"]), "nightly": Place("@daily", ())}

    assert find_order_faults("web", rows) == [
        "starts_after names “nightly”, which has a schedule and does not always run: remove it."
    ]
    assert find_followers_fault("nightly", rows) == (
        "“feed” and 1 more would start after this job, which with a schedule does not always run: clear the "
        "schedule, or remove “nightly” from the starts_after of “feed” and 1 more."
    )
    assert find_followers_fault("web", rows) == ""
    assert find_followers_fault("nightly", {**rows, "nightly": Place("", ())}) == ""


def test_a_name_of_no_job_is_told_with_the_one_that_is_meant() -> None:
    rows = places(web=["redis-brige", "zebra"], **{"redis-bridge": []})

    bridge, zebra = find_unknown_names("web", rows)

    assert bridge == (
        "starts_after names “redis-brige”, and there is no such job. Did you mean “redis-bridge”? Correct it, or make "
        "that job."
    )
    assert zebra == "starts_after names “zebra”, and there is no such job. Correct it, or make that job."


@pytest.mark.parametrize("written", [None, "b", {"b": 1}, [1], ["b", "b"], UnreadableJson("no JSON"), 7])
def test_what_sql_has_written_wrong_orders_nothing(written: Any) -> None:
    rows = {"a": Place.of(None, written), "b": Place.of("", ["a"])}

    assert find_order_faults("b", rows) == []
    assert find_unknown_names("a", rows) == []

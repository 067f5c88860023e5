"""The order that rows ask for, found from their names alone, and when a job is waited for no longer."""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd.daemon.rules.start_order import OVER, Standing, Wait, judge
from workerd.wire.spec import JobSpec
from workerd.wire.start_order import SHOWN, find_circle, find_circles, groups_in_order, show_circle
from workerd.wire.words import State

NAMES = "abcdefg"
GRAPHS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(f"{NAMES}?"), max_size=4, unique=True))


def reached(graph: Mapping[str, Iterable[str]], name: str) -> set[str]:
    """Return all that ``name`` starts after, by whatever way."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = {after for after in graph[waiting.pop()] if after in graph} - found
        found |= new
        waiting += new
    return found


# the order


@given(GRAPHS)
def test_each_group_stands_behind_all_that_its_members_start_after(graph: dict[str, list[str]]) -> None:
    groups = groups_in_order(graph)
    rank = {name: at for at, group in enumerate(groups) for name in group}

    assert sorted(rank) == sorted(graph)
    assert sum(map(len, groups)) == len(graph)
    assert all(rank[after] <= rank[name] for name in graph for after in graph[name] if after in graph)


@given(GRAPHS)
def test_those_of_a_group_start_after_each_other_and_nobody_else_does(graph: dict[str, list[str]]) -> None:
    groups = {frozenset(group) for group in groups_in_order(graph)}
    ways = {name: reached(graph, name) for name in graph}

    assert groups == {frozenset({name, *(other for other in ways[name] if name in ways[other])}) for name in graph}


def test_what_nothing_orders_keeps_its_place() -> None:
    assert groups_in_order({"c": [], "a": ["x"], "b": []}) == [["c"], ["a"], ["b"]]


def test_what_others_start_after_comes_just_before_the_first_of_them() -> None:
    assert groups_in_order({"z": [], "web": ["bridge"], "a": [], "bridge": ["redis"], "redis": []}) == [
        ["z"],
        ["redis"],
        ["bridge"],
        ["web"],
        ["a"],
    ]


def test_a_chain_may_be_longer_than_pythons_stack() -> None:
    chain = {f"job-{number}": [f"job-{number + 1}"] for number in range(5000)}

    assert len(groups_in_order(chain)) == 5000
    assert find_circles(chain) == {}


# circles


@given(GRAPHS)
def test_a_circle_is_found_where_there_is_one(graph: dict[str, list[str]]) -> None:
    for name in graph:
        circle = find_circle(graph, name)

        assert bool(circle) == (name in reached(graph, name))
        assert all(after in graph[before] for before, after in pairwise(circle))
        assert not circle or (circle[0] == circle[-1] == name and len(set(circle)) == len(circle) - 1)


@given(GRAPHS)
def test_the_members_of_a_knot_share_a_circle_and_no_other_job_has_one(graph: dict[str, list[str]]) -> None:
    circles = find_circles(graph)

    assert set(circles) == {name for name in graph if name in reached(graph, name)}
    for name, circle in circles.items():
        others = {other for other in circles if circles[other] is circle}
        assert others == {name, *(other for other in reached(graph, name) if name in reached(graph, other))}


def test_the_shortest_circle_is_named() -> None:
    graph = {"a": ["b", "c"], "b": ["c"], "c": ["a"]}

    assert find_circle(graph, "a") == ("a", "c", "a")
    assert find_circle({"a": ["a"]}, "a") == ("a", "a")


def test_a_long_circle_is_shown_by_its_beginning() -> None:
    circle = (*(f"j{number}" for number in range(20)), "j0")

    assert show_circle(("a", "b", "a")) == "a → b → a"
    assert show_circle(circle) == "j0 → j1 → j2 → j3 → j4 → j5 → … → j0"
    assert len(show_circle(circle).split(" → ")) == SHOWN


# when a job is waited for no longer

BRIDGE = JobSpec("bridge", start_timeout=20.0)
STARTING = Standing(wanted=True, state=State.STARTING, tried_s=5.0)


def ignored(reason: str) -> Wait:
    return Wait(goes_on=False, ignored=reason)


@pytest.mark.parametrize("state", [State.STARTING, State.STOPPING, State.BACKOFF, State.WAITING])
def test_a_job_that_is_on_its_way_is_waited_for_until_its_start_timeout(state: State) -> None:
    assert judge(BRIDGE, [STARTING._replace(state=state)]) == Wait(goes_on=True, left_s=15.0)
    assert judge(BRIDGE, [STARTING._replace(state=state, tried_s=20.0)]) == ignored(
        "it does not run 20 s after its first start, its start timeout"
    )


def test_a_job_that_has_not_begun_to_start_is_waited_for_without_a_limit() -> None:
    waiting = Standing(wanted=True, state=State.WAITING)

    assert judge(BRIDGE, [waiting]) == Wait(goes_on=True, left_s=math.inf)
    assert judge(BRIDGE, [STARTING._replace(tried_s=99.0), waiting]) == Wait(goes_on=True, left_s=math.inf)


def test_one_slot_that_has_run_is_enough_whatever_became_of_it() -> None:
    parked = Standing(wanted=True, state=State.PARKED)
    for state in State:
        assert judge(BRIDGE, [parked, Standing(wanted=False, state=state, ran=True)]) == OVER


def test_a_run_that_has_finished_is_enough_where_the_job_is_done() -> None:
    """One of a job that restarts for ever, and ends before it counts as running, is not."""
    done = Standing(wanted=True, state=State.DONE, finished=True)

    assert judge(BRIDGE, [done]) == OVER
    assert judge(BRIDGE, [done._replace(state=State.BACKOFF, tried_s=1.0)]).goes_on
    assert judge(BRIDGE, [done._replace(finished=False)]) == ignored("its run ended badly, and it is not started again")


@pytest.mark.parametrize(
    ("spec", "slots", "reason"),
    [
        (None, [], "there is no such job"),
        (
            BRIDGE._replace(schedule="@daily"),
            [Standing(wanted=True, state=State.WAITING)],
            "it has a schedule, so that it does not always run",
        ),
        (BRIDGE._replace(enabled=False), [Standing(wanted=False, state=State.STOPPED)], "it is disabled"),
        (BRIDGE._replace(processes=0), [], "its row wants no processes"),
        (BRIDGE, [Standing(wanted=True, state=State.PARKED)], "it is parked"),
        (BRIDGE, [Standing(wanted=False, state=State.STOPPED)], "it is stopped"),
        (BRIDGE, [Standing(wanted=False, state=State.STOPPING)], "it is stopped"),
    ],
)
def test_a_job_that_will_not_run_is_not_waited_for(spec: JobSpec | None, slots: list[Standing], reason: str) -> None:
    assert judge(spec, slots) == ignored(reason)


def test_every_state_and_every_wish_has_an_answer() -> None:
    for state in State:
        for wanted in (True, False):
            wait = judge(BRIDGE, [Standing(wanted, state)])

            assert wait.goes_on or wait.ignored

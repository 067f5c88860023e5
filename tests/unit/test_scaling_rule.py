"""The number of processes that a queue is to have: a pure rule of the count, the row and the calm so far."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd.contrib.scaling_rule import MOST, Depth, Limits, Step, next_step

LIMITS = Limits(least=1, most=8, per_process=5, calm_s=60)

limits = st.builds(
    lambda least, more, per_process, calm_s: Limits(least, least + more, per_process, calm_s),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(1, 20),
    st.sampled_from([0.0, 1.0, 60.0]),
)
depths = st.builds(Depth, st.integers(0, 500), st.none() | st.integers(0, 40))
processes_of_any = st.integers(0, 60)
calms = st.none() | st.floats(0, 1000)
NOW = 1000.0


@pytest.mark.parametrize(
    ("waiting", "processes", "wanted"),
    [(0, 1, 1), (5, 1, 1), (6, 1, 2), (17, 2, 4), (300, 2, 8), (17, 4, 4), (17, 8, 8), (0, 0, 1)],
)
def test_the_number_goes_up_at_once_to_what_the_tasks_need(waiting: int, processes: int, wanted: int) -> None:
    assert next_step(LIMITS, Depth(waiting), processes, NOW, None).processes == wanted


def test_it_goes_down_by_one_after_each_calm() -> None:
    begun = next_step(LIMITS, Depth(0), 3, 100.0, None)
    waited = next_step(LIMITS, Depth(0), 3, 159.9, begun.calm_since)
    down = next_step(LIMITS, Depth(0), 3, 160.0, waited.calm_since)
    again = next_step(LIMITS, Depth(0), 2, 165.0, down.calm_since)

    assert (begun, waited) == (Step(3, 100.0), Step(3, 100.0))
    assert (down, again) == (Step(2, 160.0), Step(2, 160.0))


@pytest.mark.parametrize("depth", [Depth(15), Depth(0, in_hand=3), Depth(0, in_hand=7)])
def test_a_count_that_leaves_none_to_spare_ends_the_calm(depth: Depth) -> None:
    assert next_step(LIMITS, depth, 3, NOW, 0.0) == Step(3, None)


def test_a_row_above_the_most_goes_down_no_faster() -> None:
    assert next_step(LIMITS, Depth(500), 12, NOW, None) == Step(12, NOW)
    assert next_step(LIMITS, Depth(500), 12, NOW, 0.0) == Step(11, NOW)


def test_the_depth_is_said_in_words() -> None:
    assert list(map(str, (Depth(1), Depth(17), Depth(0, 2)))) == [
        "1 task waits",
        "17 tasks wait",
        "0 tasks wait, 2 in hand",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"least": -1},
        {"least": 9},
        {"most": MOST + 1},
        {"per_process": 0},
        {"calm_s": -1.0},
        {"calm_s": float("nan")},
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    values = {"least": 1, "most": 8, "per_process": 5, "calm_s": 60.0, **wrong}

    with pytest.raises(ValueError, match="let "):
        Limits(**values)  # type: ignore[arg-type]


@given(limits, depths, processes_of_any, calms)
def test_no_step_leaves_the_limits_or_is_down_by_more_than_one(
    limits: Limits, depth: Depth, processes: int, calm_since: float | None
) -> None:
    after = next_step(limits, depth, processes, NOW, calm_since).processes

    assert after >= processes - 1
    assert after <= max(limits.most, processes)
    assert after >= min(limits.least, processes)


@given(limits, depths, processes_of_any, calms)
def test_a_step_up_is_all_of_it_and_waits_for_nothing(
    limits: Limits, depth: Depth, processes: int, calm_since: float | None
) -> None:
    after = next_step(limits, depth, processes, NOW, calm_since)
    needed = limits.needed(depth.waiting)

    assert (after == Step(needed)) if needed > processes else (after.processes <= processes)


@given(limits, depths, processes_of_any, calms)
def test_a_step_down_comes_of_a_whole_calm_and_of_less_in_hand_than_processes(
    limits: Limits, depth: Depth, processes: int, calm_since: float | None
) -> None:
    after = next_step(limits, depth, processes, NOW, calm_since)

    if after.processes < processes:
        assert (depth.in_hand or 0) <= after.processes
        assert limits.needed(depth.waiting) <= after.processes
        assert NOW - (NOW if calm_since is None else calm_since) >= limits.calm_s
        assert after.calm_since == NOW, "the next one waits as long again"


@given(limits, st.lists(depths, max_size=40), processes_of_any)
def test_whatever_came_before_an_empty_queue_ends_at_the_least(
    limits: Limits, story: list[Depth], processes: int
) -> None:
    calm_since, turn = None, 0
    for turn, depth in enumerate(story):
        step = next_step(limits, depth, processes, turn * 5.0, calm_since)
        processes, calm_since = step.processes, step.calm_since
    for later in range(turn + 1, turn + 14 * (processes + 1) + 1):  # a calm is 12 turns at most, and one begins it
        step = next_step(limits, Depth(0, in_hand=0), processes, later * 5.0, calm_since)
        processes, calm_since = step.processes, step.calm_since

    assert processes == limits.least

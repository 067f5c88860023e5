"""Many nodes on one database: what a single one does at once, they do one after another."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from workerd.ledger import history
from workerd.ledger.fleet_size import LEAST_SHARE, FleetSize
from workerd.ledger.history import PRUNE_SECONDS, RunHistory
from workerd.ledger.job_reading import FULL_SECONDS, JobReading
from workerd.ledger.poll_times import NODES_A_SECOND, PUSHED_A_SECOND, ROWS, PollTimes

MANY = 500
HUNDRED = 100
CHANCES = [step / 100 for step in range(101)]


def fleet_of(nodes: int, chance: float = 0.5) -> FleetSize:
    fleet = FleetSize(lambda: chance)
    fleet.nodes = nodes
    return fleet


def polls_of(nodes: int, rows: int, chance: float = 0.5) -> PollTimes:
    times = PollTimes(1.0, fleet_of(nodes, chance))
    times.read(10.0, 10.005, rows)
    return times


@pytest.mark.parametrize("chance", CHANCES)
def test_a_node_that_is_alone_keeps_its_times(chance: float) -> None:
    alone = fleet_of(1, chance)

    assert (alone.varied(5.0), alone.spread(100)) == (5.0, 0.0)


def test_what_costs_the_server_much_comes_as_often_in_all_nodes_as_in_a_hundred() -> None:
    assert [fleet_of(nodes).stretched(60.0) for nodes in (1, HUNDRED, MANY)] == [60.0, 60.0, 300.0]


@pytest.mark.parametrize("rows", [0, 20, 1_000, 10_000])
def test_a_node_that_is_alone_polls_at_its_interval_however_many_rows_there_are(rows: int) -> None:
    assert polls_of(1, rows).due == 11.0


def test_an_interval_of_many_is_never_longer_and_differs() -> None:
    varied = [fleet_of(MANY, chance).varied(5.0) for chance in CHANCES]

    assert len(set(varied)) == len(CHANCES)
    assert (min(varied), max(varied)) == (5.0 * LEAST_SHARE, 5.0)


@pytest.mark.parametrize(
    ("nodes", "rows", "seconds"),
    [(2, 20, 1.0), (100, 1_000, 1.0), (500, 20, 5.0), (500, 1_000, 5.0), (100, 3_000, 3.0)],
)
def test_more_nodes_and_more_rows_are_asked_about_less_often(nodes: int, rows: int, seconds: float) -> None:
    assert polls_of(nodes, rows, chance=1.0).due == pytest.approx(10.0 + seconds)


@pytest.mark.parametrize("nodes", [1, 2, 100, 500, 5_000])
@pytest.mark.parametrize("rows", [0, 1_000, 5_000])
def test_all_nodes_together_ask_for_no_more_than_so_many_rows_a_second(nodes: int, rows: int) -> None:
    mean_s = polls_of(nodes, rows, chance=0.5).due - 10.0

    assert nodes * rows / mean_s <= max(rows, NODES_A_SECOND * ROWS / (1 - (1 - LEAST_SHARE) / 2)) + 1e-6


def test_a_push_to_many_nodes_has_them_ask_one_after_another() -> None:
    due = []
    for chance in CHANCES:
        times = polls_of(MANY, 20, chance)
        times.push(12.0)
        due.append(times.due)

    assert due[0] == 12.0
    assert due == sorted(due)
    assert max(due) == pytest.approx(12.0 + (MANY - 1) / PUSHED_A_SECOND)


def test_further_pushes_do_not_bring_a_nodes_turn_forward() -> None:
    times = polls_of(MANY, 20, chance=0.9)
    times.push(12.0)
    first = times.due
    for step in range(100):
        times.push(12.0 + step / 1_000)

    assert times.due == first


class Reading(JobReading):
    """Finds no row, without a database."""

    def __init__(self, size: FleetSize) -> None:
        self.now = 1_000.0
        super().__init__("default", lambda: self.now, size)

    def _select(self, keys: Any = None) -> Any:
        return []

    def read_all_at(self, now: float) -> float:
        """Read all rows; return when they are to be read all again."""
        self.now = now
        self._read_all()
        return self._full_at


def most_in_a_second(moments: list[float]) -> int:
    return max(Counter(map(int, moments)).values())


def fleet_that_waited() -> list[FleetSize]:
    return [fleet_of(MANY, chance=index / MANY) for index in range(MANY)]


def test_after_a_restart_of_the_server_the_nodes_read_all_rows_again_out_of_step() -> None:
    """All of them have done so at once, as their sessions are new."""
    moments = [Reading(size).read_all_at(1_000.0) for size in fleet_that_waited()]

    every = fleet_of(MANY).stretched(FULL_SECONDS)
    assert max(moments) <= 1_000.0 + every
    assert most_in_a_second(moments) <= MANY / every + 1


@pytest.mark.parametrize(("nodes", "every"), [(1, FULL_SECONDS), (HUNDRED, FULL_SECONDS), (MANY, 5 * FULL_SECONDS)])
def test_all_rows_are_read_once_a_minute_and_by_many_nodes_less_often(nodes: int, every: float) -> None:
    reading = Reading(fleet_of(nodes))
    first = reading.read_all_at(1_000.0)
    second = reading.read_all_at(first)

    assert every * LEAST_SHARE <= second - first <= every
    assert nodes > 1 or (first, second) == (1_000.0 + every, 1_000.0 + 2 * every)


class History(RunHistory):
    """Is to prune the table of runs at a given time."""

    def __init__(self, size: FleetSize, prune_at: float) -> None:
        super().__init__("default", None, 0.0, size)  # type: ignore[arg-type]
        self._prune_at = prune_at

    def tells(self) -> tuple[bool, float]:
        """Return whether it is time to prune, and when it is."""
        return self._is_time_to_prune(), self._prune_at


@pytest.fixture
def at_1000(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "time", SimpleNamespace(monotonic=lambda: 1_000.0))


@pytest.mark.usefixtures("at_1000")
def test_after_an_outage_the_nodes_prune_out_of_step() -> None:
    told = [History(size, prune_at=970.0).tells() for size in fleet_that_waited()]

    assert sum(is_time for is_time, _ in told) <= 1
    assert max(moment for _, moment in told) <= 1_000.0 + PRUNE_SECONDS
    assert most_in_a_second([moment for _, moment in told]) <= MANY / PRUNE_SECONDS + 1


@pytest.mark.usefixtures("at_1000")
@pytest.mark.parametrize(
    ("nodes", "prune_at", "is_time"), [(1, 970.0, True), (MANY, 995.0, True), (MANY, 1_001.0, False), (MANY, 0.0, True)]
)
def test_who_is_in_time_alone_or_new_prunes_when_it_is_due(nodes: int, prune_at: float, *, is_time: bool) -> None:
    assert History(fleet_of(nodes), prune_at).tells() == (is_time, prune_at)

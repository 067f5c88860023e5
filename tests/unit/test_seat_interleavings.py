"""No two processes of one seat run at once, however statements, losses, stops and clocks interleave.

The worlds are the same in each run. Each rule of the lease is also switched off alone: among the same worlds there
then is one with an overlap, so a world that finds none says something.
"""

from typing import Any

import pytest

from tests.harness.properties import examples
from tests.harness.seat_world import PLACE, F, Rules, SimulatedNode, World
from workerd.ledger.seats import window
from workerd.ledger.seats.window import Windows
from workerd.wire import lease

WORLDS = examples(1000)
STEPS = 2000
LOOK = Windows.look


def first_overlap(rules: Rules) -> str:
    """Return the story of the first world with an overlap, "" where none has one."""
    for seed in range(WORLDS):
        world = World(seed, rules).run(STEPS)
        if world.overlaps:
            return "\n".join((f"world {seed}", *world.log[-30:], *world.overlaps))
    return ""


@pytest.mark.slow
def test_no_two_processes_of_a_seat_are_licensed_at_once() -> None:
    assert first_overlap(Rules()) == ""


@pytest.mark.slow
def test_the_worlds_see_many_takeovers() -> None:
    assert sum(World(seed, Rules()).run(STEPS).takeovers for seed in range(30)) > 30


@pytest.mark.slow
@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(Rules(counts_from_sending=False), id="1: a deadline counts from the sending"),
        pytest.param(Rules(kills_at_deadline=False), id="2: what runs at the deadline is killed"),
        pytest.param(Rules(releases_after_reaping=False), id="4: a seat is released after the reaping"),
        pytest.param(Rules(waits_for_leftovers=False), id="5: an earlier life's seats wait for its processes"),
        pytest.param(Rules(has_warden=False), id="6: the ledger kills for a daemon that stands still"),
        pytest.param(
            Rules(has_warden=False, renews_for_a_living_daemon_only=False), id="6: and renews for none that does"
        ),
        pytest.param(Rules(doubts_what_is_returned=False), id="a server that has forgotten gives a seat back"),
        pytest.param(Rules(bars_free_seats=False), id="a server that has forgotten shows a seat as free"),
        pytest.param(Rules(asks_which_server_others_believe=False), id="a new keeper knows of no failover"),
        pytest.param(Rules(asks_which_server_the_ledger_before_believed=False), id="a new ledger knows of no failover"),
        pytest.param(Rules(rates=(0.8, 1.2)), id="clocks run as they should"),
    ],
)
def test_without_one_rule_an_overlap_is_found(rules: Rules) -> None:
    assert first_overlap(rules)


@pytest.mark.slow
def test_without_the_time_that_a_kill_takes_an_overlap_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rule 1."""
    monkeypatch.setattr(lease, "kill_at", lambda sent, takeover_after: sent + takeover_after)

    assert first_overlap(Rules())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "instead"),
    [("may_take", lambda *_: True), ("_is_gap", lambda *_: False)],
    ids=["3: a seat is seen unchanged for its whole time", "3: looks are close to each other"],
)
def test_without_a_rule_of_the_window_an_overlap_is_found(
    name: str, instead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, name, instead)

    assert first_overlap(Rules())


def _at_any_server(windows: Windows, _: str, *rest: Any) -> None:
    LOOK(windows, "", *rest)


def _from_the_begin(windows: Windows, server: str, began: float, _: float, seen: Any) -> None:
    LOOK(windows, server, began, began, seen)


def _whatever_it_beats(windows: Windows, server: str, began: float, ended: float, seen: Any) -> None:
    LOOK(windows, server, began, ended, {place: one._replace(beat=0) for place, one in seen.items()})


@pytest.mark.slow
@pytest.mark.parametrize(
    "instead",
    [_at_any_server, _from_the_begin, _whatever_it_beats],
    ids=[
        "3: looks are at one server",
        "3: a window counts from the end of its first look",
        "3: a beat begins the window anew",
    ],
)
def test_without_a_rule_of_the_look_an_overlap_is_found(instead: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Windows, "look", instead)

    assert first_overlap(Rules())


def _holder_is_stopped(rules: Rules) -> tuple[World, SimulatedNode]:
    """Return a quiet world whose holder's daemon is stopped for good, while its ledger goes on."""
    world = World(1, rules)
    world.faults = False
    world.run(200)
    holder = world.processes[0].node
    holder.stop(holder.daemon, 1e6)
    until = world.now + 2 * F + F / 2
    while world.now < until:
        world.run(1)
    return world, holder


def test_the_seat_of_a_stopped_daemon_is_taken_by_another_node() -> None:
    world, holder = _holder_is_stopped(Rules())

    assert [process.node is holder for process in world.processes] == [False]


def test_a_ledger_that_renews_for_a_stopped_daemon_keeps_its_seat_from_everybody() -> None:
    """Rule 6 keeps nobody from running twice while the warden works; without it nobody runs at all."""
    world, holder = _holder_is_stopped(Rules(renews_for_a_living_daemon_only=False))

    assert (world.processes, world.row.life) == ([], holder.life)
    assert holder.holdings.get(PLACE) is not None

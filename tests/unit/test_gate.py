"""Whom a slot waits for before its first start, what ends that, and what it is not in the way of."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.node import Node, orders_of
from workerd.daemon.node.readiness import Readiness
from workerd.daemon.node.shutdown import Shutdown
from workerd.daemon.slots.gate import UNREAD
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.waiting import explain
from workerd.wire.messages import JobChanged, JobRemoved, JobsListed, Loaded
from workerd.wire.reasons import public_part
from workerd.wire.spec import JobSpec
from workerd.wire.words import Restart, State

LIMIT_S = 20.0
WAITS = "waits for bridge to run"


class Boot:
    """Rows as the ledger tells them, and what the jobs that they name become."""

    def __init__(self, node: Node, places: int = 100) -> None:
        """Have ``places`` jobs load at once, whatever the machine has."""
        self.node = node
        node.start()
        parts = node.parts
        parts.pacing._places = places
        self.orders = orders_of(parts)

    def tell(self, *specs: JobSpec, removed: tuple[str, ...] = ()) -> None:
        """Have the ledger tell rows, and that these were all."""
        messages = [*map(JobRemoved, removed), *(JobChanged(spec.to_dict()) for spec in specs)]
        self.node.tell(*messages, JobsListed(len(specs)))

    def slot(self, name: str, index: int = 0) -> LiveSlot:
        return self.node.slot(name, index)

    def run(self, *names: str) -> None:
        """Have the children of these jobs born and ready."""
        self.node.bear()
        for name in names:
            self.node.child_in(self.slot(name)).become_ready()
        self.node.turn()
        self.node.turn()

    def give(self, verb: str, *names: str) -> None:
        self.orders.carry_out(verb, names, lambda _: None, by="ada")
        self.node.turn()

    @property
    def ignored(self) -> list[tuple[str, str, str]]:
        """Who starts without waiting for whom, and why."""
        events = self.node.lines.of("job.order_ignored")
        return [(event["job"], event["starts_after"], event["reason"]) for event in events]

    def has_begun(self, name: str) -> bool:
        return self.slot(name).first_start is not None


@pytest.fixture
def boot(node: Node) -> Boot:
    return Boot(node)


BRIDGE = JobSpec("bridge", start_timeout=LIMIT_S, stop_timeout=5.0)
WEB = JobSpec("web", starts_after=["bridge"])


def test_a_slot_waits_until_the_job_that_it_starts_after_runs(boot: Boot) -> None:
    boot.tell(WEB, BRIDGE)
    boot.node.bear()
    web = boot.slot("web")
    before = web.state, explain(web), public_part(explain(web)), web.first_start
    boot.run("bridge")

    assert before == (State.WAITING, WAITS, WAITS, None)
    assert boot.slot("bridge").state is State.RUNNING
    assert web.state is State.STARTING
    assert boot.ignored == []


def test_it_waits_for_each_of_several_and_names_those_that_are_missing(boot: Boot) -> None:
    names = [f"job-{number}" for number in range(5)]
    boot.tell(JobSpec("web", starts_after=names), *map(JobSpec, names))
    said = [explain(boot.slot("web"))]
    for _ in range(20):
        boot.node.settle()
        said.append(explain(boot.slot("web")))

    assert said[0] == "waits for job-0, job-1, job-2 and 2 more to run"
    assert boot.slot("web").state is State.RUNNING


def test_a_row_that_is_told_later_in_the_list_is_waited_for(boot: Boot) -> None:
    boot.node.tell(JobChanged(WEB.to_dict()))
    before = explain(boot.slot("web")), boot.ignored
    boot.tell(BRIDGE)

    assert before == (UNREAD, [])
    assert explain(boot.slot("web")) == WAITS


def test_one_slot_of_a_job_is_enough(boot: Boot) -> None:
    boot.tell(BRIDGE._replace(processes=2), WEB)
    boot.node.bear()
    boot.node.child_in(boot.slot("bridge", 1)).become_ready()
    boot.node.turn()
    boot.node.turn()

    assert boot.slot("bridge", 0).state is State.STARTING
    assert boot.slot("web").state is State.STARTING


def test_a_job_that_has_done_its_work_before_it_counted_as_running_is_enough(boot: Boot) -> None:
    boot.tell(BRIDGE._replace(restart=Restart.NEVER), WEB)
    boot.node.bear()
    boot.node.child_in(boot.slot("bridge")).say(Loaded())
    boot.node.turn()
    boot.node.end_child(boot.slot("bridge"), code=0)
    boot.node.turn()

    assert boot.slot("bridge").state is State.DONE
    assert boot.slot("web").state is State.STARTING
    assert boot.ignored == []


def test_chains_start_link_by_link(boot: Boot) -> None:
    boot.tell(JobSpec("c", starts_after=["b"]), JobSpec("b", starts_after=["a"]), JobSpec("a"))
    begun = []
    for name in "abc":
        boot.node.bear()
        begun.append([name for name in "abc" if boot.has_begun(name)])
        boot.run(name)

    assert begun == [["a"], ["a", "b"], ["a", "b", "c"]]


# those that are not waited for

WITHOUT: dict[str, tuple[list[JobSpec], str]] = {
    "unknown": ([], "there is no such job"),
    "disabled": ([BRIDGE._replace(enabled=False)], "it is disabled"),
    "none": ([BRIDGE._replace(processes=0)], "its row wants no processes"),
    "scheduled": (
        [BRIDGE._replace(schedule="@daily", time_zone="UTC", restart=Restart.NEVER)],
        "it has a schedule, so that it does not always run",
    ),
    "circle": ([BRIDGE._replace(starts_after=["web"])], "they start after each other: bridge → web → bridge"),
}


@pytest.mark.parametrize("case", WITHOUT)
def test_what_will_not_run_is_said_once_and_not_waited_for(boot: Boot, case: str) -> None:
    rows, reason = WITHOUT[case]
    boot.tell(WEB._replace(processes=2), *rows)
    boot.node.turn()

    assert boot.slot("web", 0).state is State.STARTING
    assert boot.slot("web", 1).state is not State.WAITING or explain(boot.slot("web", 1)) != WAITS
    assert [told for told in boot.ignored if told[0] == "web"] == [("web", "bridge", reason)]


def test_a_job_for_other_nodes_is_not_waited_for(boot: Boot) -> None:
    misfit = "has zone=a, and where asks for zone=b"
    bridge = JobChanged(BRIDGE._replace(processes=0).to_dict(), misfit)
    boot.node.tell(JobChanged(WEB.to_dict()), bridge, JobsListed(2))
    boot.node.turn()

    assert boot.slot("web").state is State.STARTING
    assert boot.ignored == [("web", "bridge", f"this node {misfit}")]


def test_all_of_a_circle_start_and_still_wait_for_others(boot: Boot) -> None:
    a, b = JobSpec("a", starts_after=["b", "bridge"]), JobSpec("b", starts_after=["a"])
    boot.tell(a, b, BRIDGE)
    boot.node.bear()
    before = [boot.has_begun(name) for name in "ab"]
    boot.run("bridge")

    assert before == [False, True]
    assert boot.has_begun("a")
    assert [told[:2] for told in boot.ignored] == [("b", "a"), ("a", "b")]


def test_a_job_that_is_parked_is_not_waited_for(boot: Boot) -> None:
    boot.tell(BRIDGE._replace(max_restarts=0), WEB)
    boot.node.bear()
    boot.node.end_child(boot.slot("bridge"), code=1)
    boot.node.turn()

    assert boot.slot("bridge").state is State.PARKED
    assert boot.slot("web").state is State.STARTING
    assert boot.ignored == [("web", "bridge", "it is parked")]


def test_a_job_that_an_operator_stops_is_not_waited_for(boot: Boot) -> None:
    boot.tell(BRIDGE, WEB)
    boot.node.bear()
    boot.give("stop", "bridge")
    boot.node.turn()

    assert boot.slot("web").state is State.STARTING
    assert boot.ignored == [("web", "bridge", "it is stopped")]


# those that never get there


def test_a_start_that_takes_too_long_is_passed_over(boot: Boot) -> None:
    boot.tell(BRIDGE, WEB)
    boot.node.bear()
    boot.node.pass_time(LIMIT_S - 0.5)
    before = boot.slot("web").state
    boot.node.pass_time(1.0)

    assert before is State.WAITING
    assert boot.slot("web").state is State.STARTING
    assert boot.ignored == [("web", "bridge", "it does not run 20 s after its first start, its start timeout")]


@pytest.mark.parametrize("delay", [0.0, 0.5, 60.0])
def test_a_job_that_crashes_all_the_time_is_passed_over(boot: Boot, delay: float) -> None:
    """Whether it is in BACKOFF for long, or comes back at once each time."""
    boot.tell(BRIDGE._replace(backoff_initial=delay, backoff_max=max(60.0, delay)), WEB)
    begun = boot.node.clock.now
    while not boot.has_begun("web"):
        boot.node.bear()
        if boot.slot("bridge").is_starting:
            boot.node.end_child(boot.slot("bridge"), code=1)
        boot.node.pass_time(0.5)

    assert LIMIT_S <= boot.node.clock.now - begun < LIMIT_S + 2
    assert [told[:2] for told in boot.ignored] == [("web", "bridge")]


def test_a_job_that_no_process_can_be_started_for_is_passed_over(new_node: Callable[..., Node]) -> None:
    boot = Boot(new_node(max_processes=1))
    boot.tell(JobSpec("first"), BRIDGE, WEB)
    boot.run("first")
    boot.node.pass_time(LIMIT_S + 1)

    assert explain(boot.slot("bridge")).startswith("waiting for a place: 1 processes of jobs run")
    assert boot.slot("web").state is State.STARTING
    assert [told[:2] for told in boot.ignored] == [("web", "bridge")]


def test_the_time_in_which_the_daemon_stood_still_does_not_count(boot: Boot) -> None:
    boot.tell(BRIDGE, WEB)
    boot.node.bear()
    boot.node.pass_time(LIMIT_S - 5.0)
    boot.node.stand_still(30.0)
    just_after = boot.slot("web").state, boot.ignored
    boot.run("bridge")

    assert just_after == (State.WAITING, [])
    assert boot.slot("web").state is State.STARTING
    assert boot.ignored == []


# what is not touched


def test_a_crash_of_the_other_job_touches_nobody_later(boot: Boot) -> None:
    boot.tell(BRIDGE, WEB)
    boot.run("bridge")
    boot.run("web")
    run = boot.slot("web").child
    boot.node.end_child(boot.slot("bridge"), code=1)
    boot.node.pass_time(5.0)

    assert (boot.slot("web").state, boot.slot("web").child) == (State.RUNNING, run)


def test_a_slot_that_crashed_starts_again_while_the_other_job_is_down(boot: Boot) -> None:
    boot.tell(BRIDGE, WEB)
    boot.run("bridge")
    boot.run("web")
    boot.give("stop", "bridge")
    boot.node.end_child(boot.slot("bridge"), code=0)
    boot.node.end_child(boot.slot("web"), code=1)

    assert boot.slot("web").state is State.STARTING
    assert boot.ignored == []


def test_a_slot_that_has_started_waits_for_nobody_later(boot: Boot) -> None:
    boot.tell(BRIDGE._replace(enabled=False), WEB)
    boot.run("web")
    boot.tell(BRIDGE)
    boot.node.end_child(boot.slot("web"), code=1)

    assert boot.slot("bridge").state is State.STARTING
    assert boot.slot("web").state is State.STARTING


def test_one_that_may_start_says_that_it_stands_in_line(node: Node) -> None:
    boot = Boot(node, places=1)
    boot.tell(BRIDGE, *(JobSpec(f"web-{number}", starts_after=["bridge"]) for number in range(2)))
    boot.run("bridge")

    assert [boot.has_begun(f"web-{number}") for number in range(2)] == [True, False]
    assert explain(boot.slot("web-1")) == "waiting for its turn to start: others are loading"


def test_a_job_that_ran_once_is_not_waited_for_again(boot: Boot) -> None:
    boot.tell(BRIDGE)
    boot.run("bridge")
    boot.node.end_child(boot.slot("bridge"), code=1)
    boot.tell(WEB)

    assert boot.slot("bridge").state is not State.RUNNING
    assert boot.has_begun("web")
    assert boot.ignored == []


def test_others_have_their_turn_meanwhile(boot: Boot) -> None:
    boot.tell(*(JobSpec(f"web-{number}", starts_after=["bridge"]) for number in range(50)), JobSpec("free"), BRIDGE)
    boot.node.bear()

    assert boot.has_begun("free")
    assert boot.has_begun("bridge")


def test_a_row_that_cannot_run_says_so_at_once(boot: Boot) -> None:
    boot.tell(BRIDGE)
    slot = boot.node.add_job("web", problem="It is broken.", starts_after=["bridge"])

    assert slot.state is State.PARKED


# rows that are added to a daemon that runs


def test_rows_that_are_added_together_keep_their_order(boot: Boot) -> None:
    boot.tell(JobSpec("feed"))
    boot.run("feed")
    boot.tell(WEB, BRIDGE)
    before = explain(boot.slot("web"))
    boot.run("bridge")

    assert before == WAITS
    assert boot.slot("web").state is State.STARTING


# edits while a slot waits


def waits(boot: Boot) -> LiveSlot:
    boot.tell(BRIDGE, WEB)
    boot.node.bear()
    slot = boot.slot("web")
    assert explain(slot) == WAITS
    return slot


def test_it_waits_no_more_when_its_row_names_the_job_no_more(boot: Boot) -> None:
    slot = waits(boot)
    boot.tell(WEB._replace(starts_after=[]))

    assert slot.first_start is not None
    assert boot.ignored == []


def test_an_edit_of_something_else_has_it_wait_on(boot: Boot) -> None:
    slot = waits(boot)
    boot.tell(WEB._replace(stop_timeout=3.0))
    before = slot.state, explain(slot)
    boot.node.pass_time(LIMIT_S + 1)

    assert before == (State.WAITING, WAITS)
    assert slot.first_start is not None


@pytest.mark.parametrize("name", ["", "bridge-2"])
def test_it_waits_no_more_when_the_other_row_is_deleted_or_renamed(boot: Boot, name: str) -> None:
    slot = waits(boot)
    boot.tell(*([BRIDGE._replace(name=name)] if name else []), removed=("bridge",))

    assert slot.first_start is not None
    assert boot.ignored == [("web", "bridge", "there is no such job")]


def test_it_waits_no_more_when_an_edit_makes_a_circle(boot: Boot) -> None:
    slot = waits(boot)
    boot.tell(BRIDGE._replace(starts_after=["web"]))

    assert slot.first_start is not None
    assert [told[:2] for told in boot.ignored] == [("web", "bridge")]


def test_it_waits_for_a_job_that_an_edit_names(boot: Boot) -> None:
    slot = waits(boot)
    boot.tell(JobSpec("late"), WEB._replace(starts_after=["late"]))

    assert explain(slot) == "waits for late to run"


@pytest.mark.parametrize("change", [{"enabled": False}, {"processes": 0}])
def test_it_leaves_when_it_is_not_wanted_any_more(boot: Boot, change: dict[str, Any]) -> None:
    slot = waits(boot)
    boot.tell(WEB._replace(**change))
    boot.run("bridge")

    assert (slot.state, slot.first_start) == (State.STOPPED, None)


def test_it_waits_again_when_its_row_is_enabled_again(boot: Boot) -> None:
    slot = waits(boot)
    boot.tell(WEB._replace(enabled=False))
    boot.tell(WEB)

    assert explain(slot) == WAITS


# orders


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_an_order_that_names_it_starts_it_at_once(boot: Boot, verb: str) -> None:
    slot = waits(boot)
    boot.give(verb, "web")

    assert slot.state is State.STARTING
    assert boot.ignored == []


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_an_order_for_all_keeps_the_order(boot: Boot, verb: str) -> None:
    slot = waits(boot)
    boot.give(verb)

    assert explain(slot) == WAITS


def test_one_that_is_stopped_while_it_waits_leaves_and_starts_by_name(boot: Boot) -> None:
    slot = waits(boot)
    boot.give("stop", "web")
    stopped = slot.state
    boot.run("bridge")
    left = slot.state, slot.first_start
    boot.give("stop", "bridge")
    boot.give("start", "web")

    assert (stopped, left) == (State.STOPPED, (State.STOPPED, None))
    assert slot.state is State.STARTING


def test_a_stop_of_all_starts_nobody(boot: Boot) -> None:
    waits(boot)
    boot.give("stop")

    assert not boot.has_begun("web")
    assert boot.ignored == []


def test_the_end_of_the_daemon_starts_nobody(boot: Boot) -> None:
    waits(boot)
    Shutdown(boot.node.parts).begin("SIGTERM")
    boot.node.pass_time(1.0)

    assert (boot.slot("web").state, boot.has_begun("web")) == (State.STOPPED, False)
    assert boot.ignored == []


# what others make of it


def test_the_daemon_is_ready_when_those_that_waited_have_started(boot: Boot) -> None:
    readiness = Readiness(boot.node.parts)
    slot = waits(boot)
    readiness.look()
    before = readiness.reached
    boot.run("bridge")
    boot.run("web")
    boot.node.pass_time(2.0)
    readiness.look()

    assert (before, slot.state, readiness.reached) == (False, State.RUNNING, True)


def test_one_that_waits_is_not_down(boot: Boot) -> None:
    assert not waits(boot).is_down


def test_a_ledger_that_tells_all_rows_anew_changes_nothing(boot: Boot) -> None:
    slot = waits(boot)
    boot.node.end_child(boot.node.parts.ledger.slot, code=1)
    boot.node.bear()
    boot.tell(WEB, BRIDGE)

    assert explain(slot) == WAITS

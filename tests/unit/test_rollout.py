"""A new generation reaches the slots: who is asked to go and when, what halts that, and which code a restart gets."""

import signal
from collections.abc import Callable

import pytest

from tests.harness.births import FakeProgram
from tests.harness.node import FakeForkserver, Node
from workerd.daemon.rules.restart import FLOOR_S
from workerd.daemon.slots.rollout import PATIENCE_S, PROOF_S, Rollout, RolloutEnd
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.messages import BecameReady, DatabaseLost, Failed, JobChanged, JobsListed, Loaded
from workerd.wire.spec import JobSpec
from workerd.wire.words import State


class Setup:
    """A node that has loaded its second generation; the ledger has moved to it already."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.ends: list[RolloutEnd] = []
        node.start()
        self.rollout.rows_are_judged = lambda: True
        node.parts.loop.at_turn_end(self.rollout.go_on)

    @property
    def rollout(self) -> Rollout:
        return self.node.parts.rollout

    @property
    def old(self) -> FakeForkserver:
        return self.node.forkservers[0]

    def load(self) -> None:
        """Load a generation and have the rollout begin."""
        node = self.node
        node.settle()
        node.parts.generations.reload(lambda _: None)
        node.forkserver.become_ready()
        node.turn()
        self.rollout.start()
        self.rollout.when_ended(self.ends.append)
        node.turn()
        if self.rollout.under_way:
            node.end_child(node.parts.ledger.slot, code=0)
            self.prove(PROOF_S)

    def prove(self, seconds: float = 1.0) -> None:
        """Have what was asked for become ready, and stay it."""
        self.node.settle()
        self.node.pass_time(seconds)

    def asked_to_go(self, *slots: LiveSlot) -> list[str]:
        return [slot.name for slot in slots if slot.is_stopping]

    def end(self, slot: LiveSlot) -> None:
        """Have the process that was asked to go end as it should."""
        self.node.end_child(slot, signal=signal.SIGTERM)

    def fail(self, slot: LiveSlot, code: int = 1) -> None:
        """Have the new process of a slot start, and fail."""
        self.node.bear()
        self.node.end_child(slot, code=code)


@pytest.fixture
def setup(node: Node) -> Setup:
    return Setup(node)


@pytest.mark.parametrize("is_out", [False, True])
def test_no_job_moves_before_the_new_ledger_has_judged_the_rows(node: Node, setup: Setup, is_out: bool) -> None:
    """One that the code before refuses is no failure of the new code; a database that is out is not waited for."""
    setup.rollout.rows_are_judged = node.parts.ledger.has_told
    feed = node.add_job("feed")
    setup.load()
    before = setup.asked_to_go(feed)
    node.tell(*([DatabaseLost("gone")] if is_out else [JobChanged(feed.spec.to_dict()), JobsListed(1)]))
    node.turn()

    assert (before, setup.asked_to_go(feed)) == ([], ["feed"])


def test_a_slot_moves_when_the_one_before_has_proved_itself(node: Node, setup: Setup) -> None:
    feed, mail = node.add_job("feed"), node.add_job("mail")
    setup.load()
    first = setup.asked_to_go(feed, mail)
    setup.end(feed)
    node.settle()
    ready = (feed.state, setup.asked_to_go(feed, mail))
    node.pass_time(feed.spec.start_grace)

    assert (first, ready) == (["feed"], (State.RUNNING, []))
    assert setup.asked_to_go(feed, mail) == ["mail"]
    assert {event["reason"] for event in node.lines.of("child.stopping")} == {"moves to generation 2"}


def test_the_code_before_ends_when_every_slot_has_moved(node: Node, setup: Setup) -> None:
    feed = node.add_job()
    setup.load()
    before = node.parts.generations.former
    setup.end(feed)
    setup.prove()
    setup.old.hear()

    assert before is not None
    assert setup.old.at_end
    assert setup.ends == [RolloutEnd(2, "", 1, 1, ())]
    assert node.lines.of("rollout.ended") == [{"generation": 2, "moved": 1, "slots": 1}]


def test_a_program_of_the_daemons_own_has_no_code_of_the_project_and_stays(node: Node, setup: Setup) -> None:
    program = FakeProgram()
    observer = node.parts.slot_set.add_builtin(JobSpec("workerd.observer"), program)  # type: ignore[arg-type]
    feed = node.add_job("feed")
    setup.load()
    setup.end(feed)
    setup.prove()

    program.close()
    assert not observer.is_stopping
    assert setup.ends == [RolloutEnd(2, "", 1, 1, ())]


@pytest.mark.parametrize("code", [1, 78])
def test_it_halts_at_the_first_slot_that_fails_and_the_others_keep_the_code_before(
    node: Node, setup: Setup, code: int
) -> None:
    feed, mail = node.add_job("feed"), node.add_job("mail")
    setup.load()
    setup.end(feed)
    setup.fail(feed, code)
    node.pass_time(10.0)
    node.end_child(mail, signal=signal.SIGKILL)
    node.settle()

    [end] = setup.ends
    assert end.halted.startswith("feed failed: exit code ")
    assert (end.moved, end.total) == (0, 2)
    assert node.lines.of("rollout.halted")[0]["reason"] == end.halted
    assert mail.child is not None
    assert (mail.state, mail.child.generation) == (State.RUNNING, 1)


def test_a_slot_that_fails_soon_after_it_was_ready_halts_it(node: Node, setup: Setup) -> None:
    feed, mail = node.add_job("feed", backoff_initial=0.0), node.add_job("mail")
    setup.load()
    setup.end(feed)
    setup.prove(0.5)
    node.end_child(feed, code=1)
    setup.prove(5.0)

    assert [end.halted for end in setup.ends] == ["feed failed: exit code 1"]
    assert setup.asked_to_go(feed, mail) == []


@pytest.mark.parametrize("what", ["stopped", "deleted", "asks to start later", "misses the database"])
def test_what_is_no_fault_of_the_code_does_not_halt_it(node: Node, setup: Setup, what: str) -> None:
    feed = node.add_job()
    setup.load()
    setup.end(feed)
    node.bear()
    if what == "stopped":
        node.parts.lifecycle.want(feed, False)
        setup.end(feed)
    elif what == "deleted":
        node.parts.slot_set.apply("feed", None)
        setup.end(feed)
    elif what == "asks to start later":
        node.end_child(feed, code=75)
    else:
        node.tell(DatabaseLost("it does not answer"))
        node.child_in(feed).say(Failed("OperationalError", "gone", "", unreachable="default"))
        node.turn()
        node.end_child(feed, code=1)
    node.turn()

    assert setup.rollout.halted == ""


def test_a_slot_that_failed_before_does_not_halt_it(node: Node, setup: Setup) -> None:
    feed, mail = node.add_job("feed"), node.add_job("mail")
    node.settle()
    for _ in range(2):  # the first failure is followed by a start at once
        node.end_child(feed, code=1)
        node.bear()
    waits = feed.state
    setup.load()
    setup.fail(feed)

    assert waits is State.BACKOFF
    assert setup.rollout.halted == ""
    node.turn()
    assert setup.asked_to_go(mail) == ["mail"]


def test_what_failed_with_a_release_moves_first_with_the_next_and_has_to_prove_it(node: Node, setup: Setup) -> None:
    feed, mail = node.add_job("feed"), node.add_job("mail")
    setup.load()
    setup.end(feed)
    setup.fail(feed, 78)
    setup.load()
    setup.fail(feed, 78)

    assert [end.generation for end in setup.ends] == [2, 3]
    assert all(end.halted.startswith("feed failed") for end in setup.ends)
    assert mail.child is not None
    assert mail.child.generation == 1


def test_no_two_slots_of_a_job_move_together(node: Node, setup: Setup) -> None:
    setup.rollout.max_unavailable = 2
    node.add_job("feed", processes=2)
    mail = node.add_job("mail")
    setup.load()

    assert setup.asked_to_go(node.slot("feed", 0), node.slot("feed", 1), mail) == ["feed:0", "mail"]


def test_all_slots_move_together_where_the_limit_says_so(node: Node, setup: Setup) -> None:
    setup.rollout.max_unavailable = 2
    node.add_job("feed", processes=2)
    setup.load()

    assert setup.asked_to_go(node.slot("feed", 0), node.slot("feed", 1)) == ["feed:0", "feed:1"]


def test_nobody_is_asked_to_go_while_no_process_can_be_started(node: Node, setup: Setup) -> None:
    feed, mail = node.add_job("feed"), node.add_job("mail")
    setup.load()
    node.end_forkserver(node.forkserver, signal=signal.SIGKILL)
    setup.end(feed)
    node.pass_time(10.0)
    waiting = (feed.state, setup.asked_to_go(mail))
    node.forkserver.become_ready()
    node.turn()
    setup.prove()

    assert waiting == (State.STARTING, [])
    assert setup.asked_to_go(mail) == ["mail"]


def test_it_is_halted_where_it_gets_no_further(node: Node, setup: Setup) -> None:
    feed = node.add_job("feed", start_timeout=3.0)
    setup.load()
    setup.end(feed)
    node.parts.generations.on_birth_failed(node.forkserver.births[-1], "a transaction is open")
    node.end_forkserver(node.forkserver, signal=signal.SIGKILL)
    node.pass_time(PATIENCE_S + 30.0)

    assert [end.halted for end in setup.ends] == [node.parts.generations.obstacle()]


def test_a_database_that_is_out_is_waited_for(node: Node, setup: Setup) -> None:
    feed = node.add_job("feed", backoff_initial=500.0, backoff_max=500.0)
    setup.load()
    setup.end(feed)
    node.bear()
    node.tell(DatabaseLost("it does not answer"))
    node.child_in(feed).say(Failed("OperationalError", "gone", "", unreachable="default"))
    node.turn()
    node.end_child(feed, code=1)
    node.pass_time(3 * PATIENCE_S)

    assert feed.is_waiting_for_database
    assert (setup.rollout.under_way, setup.ends) == (True, [])


def test_a_birth_that_was_asked_of_the_code_before_is_asked_anew(node: Node, setup: Setup) -> None:
    feed = node.add_job()
    node.settle()
    node.pass_time(FLOOR_S)
    node.parts.generations.reload(lambda _: None)
    node.forkserver.become_ready()
    node.turn()
    setup.rollout.start()
    node.turn()
    node.end_child(node.parts.ledger.slot, code=0)
    setup.prove(PROOF_S / 2)
    births = len(setup.old.births)
    node.end_child(feed, code=0)
    setup.old.hear()
    asked_of_old = len(setup.old.births) - births
    node.pass_time(PROOF_S / 2)
    setup.prove()

    assert asked_of_old == 1

    assert feed.child is not None
    assert (feed.state, feed.child.generation) == (State.RUNNING, 2)


def test_going_on_moves_the_others_whatever_fails(node: Node, setup: Setup) -> None:
    feed, mail, shop = (node.add_job(name) for name in ("feed", "mail", "shop"))
    setup.load()
    setup.end(feed)
    setup.fail(feed, 78)
    setup.rollout.insist()
    setup.rollout.when_ended(setup.ends.append)
    node.turn()
    setup.end(mail)
    setup.fail(mail, 78)
    node.turn()
    setup.end(shop)
    setup.prove()

    assert (setup.ends[1].halted, setup.ends[1].moved, setup.ends[1].total) == ("", 1, 3)
    assert setup.ends[1].lagging == (feed, mail)


def test_going_back_moves_who_has_moved_and_no_other(node: Node, setup: Setup) -> None:
    feed, mail, shop = (node.add_job(name) for name in ("feed", "mail", "shop"))
    setup.load()
    setup.end(feed)
    setup.prove()
    setup.end(mail)
    setup.fail(mail)
    setup.rollout.go_back()
    setup.rollout.when_ended(setup.ends.append)
    node.turn()
    asked = setup.asked_to_go(feed, mail, shop)
    node.end_child(node.parts.ledger.slot, code=0)
    setup.prove()
    setup.end(feed)
    setup.prove()
    setup.prove()

    assert asked == []
    assert setup.ends[1] == RolloutEnd(1, "", 3, 3, ())
    assert node.parts.generations.former is None


def test_a_daemon_that_stops_moves_nobody_and_says_so(node: Node, setup: Setup) -> None:
    node.add_job()
    setup.load()
    node.parts.lifecycle.stopping = "SIGTERM"
    node.turn()

    assert [end.halted for end in setup.ends] == ["the daemon is stopping"]


def test_a_job_that_says_ready_itself_is_watched_for_its_grace(node: Node, setup: Setup) -> None:
    feed, mail = node.add_job("feed", signals_ready=True, start_grace=5.0), node.add_job("mail")
    setup.load()
    setup.end(feed)
    node.bear()
    node.child_in(feed).say(Loaded())
    node.child_in(feed).say(BecameReady())
    node.pass_time(4.5)
    early = setup.asked_to_go(mail)
    node.pass_time(1.0)

    assert early == []
    assert setup.asked_to_go(mail) == ["mail"]


# the order of starts_after


def test_slots_move_after_those_of_the_jobs_that_they_start_after(node: Node, setup: Setup) -> None:
    web, bridge, feed = node.add_job("web", starts_after=["bridge"]), node.add_job("bridge"), node.add_job("feed")
    node.parts.slot_set.become_whole()
    setup.load()
    moved = []
    while going := setup.asked_to_go(web, bridge, feed):
        moved += going
        setup.end(node.slot(going[0]))
        setup.prove()

    assert moved == ["bridge", "web", "feed"]
    assert setup.ends == [RolloutEnd(2, "", 3, 3, ())]


def test_no_slot_moves_together_with_one_that_it_starts_after(new_node: Callable[..., Node]) -> None:
    node = new_node(max_unavailable=2)
    setup = Setup(node)
    web, bridge, feed = node.add_job("web", starts_after=["bridge"]), node.add_job("bridge"), node.add_job("feed")
    node.parts.slot_set.become_whole()
    setup.load()
    first = setup.asked_to_go(web, bridge, feed)
    setup.end(bridge)
    setup.prove()

    assert first == ["bridge", "feed"]
    assert setup.asked_to_go(web, bridge, feed) == ["web", "feed"]


def test_a_circle_holds_no_rollout_up(node: Node, setup: Setup) -> None:
    slots = [node.add_job("web", starts_after=["bridge"]), node.add_job("bridge", starts_after=["web"])]
    node.parts.slot_set.become_whole()
    setup.load()
    while going := setup.asked_to_go(*slots):
        setup.end(node.slot(going[0]))
        setup.prove()

    assert setup.ends == [RolloutEnd(2, "", 2, 2, ())]

"""A job's problem where nodes differ: each says its own, the row has one sentence of all, and it comes to rest."""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from workerd.ledger import jobs as jobs_module
from workerd.ledger.jobs import JobRows
from workerd.ledger.node import NodeRow
from workerd.ledger.node_problems import MOST_CHARACTERS, NodeProblems
from workerd.ledger.problems import Problem
from workerd.ledger.registration import Claimant
from workerd.models import Job, Node
from workerd.models.clock import DatabaseNow
from workerd.models.node import LATE
from workerd.refusals import TargetError

pytestmark = pytest.mark.django_db

Check = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def weigh_at_each_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "WEIGH_SECONDS", 0.0)


@pytest.fixture
def mail() -> Job:
    return Job.objects.create(name="mail", target="shop.jobs.mail")


def knows(_target: str, _command: str) -> None:
    """The code of a node that has the job."""


def lacks(target: str, _command: str) -> None:
    """The code of a node that has not."""
    raise TargetError("target", f"“{target}” does not exist", "Correct it.")


class Ledger:
    """What of a ledger reads the jobs and writes their problems."""

    def __init__(self, host: str, check: Check) -> None:
        self.node = NodeRow("default", Claimant("shop", host))
        self.problems = NodeProblems("default", self.node)
        self.jobs = JobRows("default", check, self.problems.agree)
        self.declined: dict[int, str] = {}
        self.turn()

    def turn(self) -> int:
        """Poll once; return how many statements have written something."""
        self.node.write_pulse()
        with CaptureQueriesContext(connection) as queries:
            self.jobs.poll()
            self.problems.publish(self.jobs.problems(), self.declined)
            self.jobs.write_problems()
        return sum(query["sql"].startswith("UPDATE") for query in queries)

    def fall_silent(self) -> None:
        Node.objects.filter(pk=self.node.pk).update(pulse=DatabaseNow() - 2 * LATE)


def settle(*ledgers: Ledger, rounds: int = 10) -> int:
    """Poll with all in turn until none writes any more; return in how many rounds."""
    for number in range(rounds):
        if not sum([ledger.turn() for ledger in ledgers]):
            return number
    raise AssertionError(f"they still write after {rounds} rounds")


def problem_of(job: Job) -> str:
    job.refresh_from_db()
    return job.problem


@pytest.mark.parametrize("order", [1, -1])
def test_two_ledgers_of_different_code_come_to_rest_and_name_the_node(mail: Job, order: int) -> None:
    ledgers = [Ledger("old", lacks), Ledger("new", knows)][::order]

    assert settle(*ledgers) <= 2
    assert problem_of(mail).startswith("on shop@old: ")
    assert "shop.jobs.mail" in problem_of(mail)
    assert problem_of(mail).count("on shop@") == 1


def test_a_problem_that_all_nodes_have_names_none(mail: Job) -> None:
    ledgers = [Ledger(f"web{number}", lacks) for number in range(3)]
    settle(*ledgers)

    assert "shop.jobs.mail" in problem_of(mail)
    assert "on shop@" not in problem_of(mail)


def test_a_problem_of_many_nodes_names_a_few(mail: Job) -> None:
    settle(*(Ledger(f"web{number}", lacks) for number in range(5)), Ledger("new", knows))

    assert problem_of(mail).startswith("on shop@web0, shop@web1, shop@web2 and 2 more: ")


def test_each_of_two_problems_names_its_node(mail: Job) -> None:
    first, second = Ledger("web1", knows), Ledger("web2", knows)
    first.jobs.note_problem("mail", Problem("no module secret", "does not import"))
    second.jobs.note_problem("mail", Problem("other arguments", "other arguments"))
    settle(first, second)

    assert problem_of(mail) == "on shop@web1: no module secret; on shop@web2: other arguments"
    assert mail.public_problem == "on shop@web1: does not import; on shop@web2: other arguments"


def test_a_rolling_deployment_ends_with_no_problem_and_few_writes(mail: Job) -> None:
    nodes = {f"web{number}": Ledger(f"web{number}", lacks) for number in range(3)}
    settle(*nodes.values())
    for host in list(nodes):
        nodes[host] = Ledger(host, knows)
        assert settle(*nodes.values()) <= 2

    assert problem_of(mail) == ""


def test_what_a_node_said_that_is_gone_goes_too(mail: Job) -> None:
    gone, alive = Ledger("gone", lacks), Ledger("alive", knows)
    settle(gone, alive)
    gone.fall_silent()
    settle(alive)

    assert problem_of(mail) == ""


def test_a_node_of_the_release_before_is_not_written_against(mail: Job) -> None:
    """It writes no more than its judgement, once, and does not say what it cannot run."""
    ledger = Ledger("new", knows)
    Node.objects.create(name="shop", host="old")
    settle(ledger)
    Job.objects.update(problem="it lacks that")
    ledger.turn()
    Job.objects.update(problem="it lacks that")

    assert settle(ledger) <= 1
    assert problem_of(mail) == "it lacks that"


def test_a_row_that_another_ledger_has_changed_meanwhile_is_looked_at_again(mail: Job) -> None:
    first, second = Ledger("web1", lacks), Ledger("web2", knows)
    first.jobs.poll()
    second.turn()
    first.jobs.write_problems()  # by what it has read before
    settle(first, second)

    assert problem_of(mail).startswith("on shop@web1: ")


def test_one_node_writes_a_problem_once_and_asks_nobody(mail: Job) -> None:
    ledger = Ledger("web1", lacks)
    told = problem_of(mail)

    assert "shop.jobs.mail" in told
    assert "shop@" not in told
    assert ledger.turn() == 0


def test_a_node_says_what_it_declines(mail: Job) -> None:
    ledger = Ledger("web1", knows)
    ledger.declined = {mail.pk: "parked: it fails"}
    ledger.turn()
    other = Ledger("web2", knows)

    assert json.loads(Node.objects.get(host="web1").cannot or "") == {str(mail.pk): {"declined": "parked: it fails"}}
    assert settle(ledger, other) == 0
    assert problem_of(mail) == ""


def test_the_next_life_does_not_inherit_what_the_last_could_not_run(mail: Job) -> None:
    Ledger("web1", lacks)
    NodeRow("default", Claimant("shop", "web1")).write_pulse()

    assert Node.objects.get().cannot == "{}"


def test_what_a_node_says_is_bounded() -> None:
    row = NodeRow("default", Claimant("shop", "web1"))
    problems = {pk: Problem("é" * 4000, "é" * 4000) for pk in range(500)}
    NodeProblems("default", row).publish(problems, {})
    cannot = json.loads(Node.objects.get().cannot or "")

    assert len(cannot) == 500
    assert sum(len(text) for said in cannot.values() for text in said.values()) <= 2 * MOST_CHARACTERS


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000, '{"1": 7, "x": {"problem": 7}}', None])
def test_whatever_stands_in_another_nodes_row_is_read(mail: Job, text: str | None) -> None:
    text = text and text.replace('"1"', f'"{mail.pk}"')
    Node.objects.create(
        name="shop",
        host="x",
        key=uuid.uuid4(),
        life=uuid.uuid4(),
        cannot=text,
        pulse=DatabaseNow() + timedelta(hours=1),
    )

    settle(Ledger("web1", lacks))
    assert problem_of(mail).startswith("on shop@web1: ")

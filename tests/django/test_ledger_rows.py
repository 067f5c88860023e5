"""Job rows as specs: what plain SQL may have written is refused with a sentence, and stops no other row."""

from collections.abc import Iterable
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from workerd.job_rules import find_faults, values_of
from workerd.ledger.connection import refresh
from workerd.ledger.here import Here
from workerd.ledger.jobs import JobRows
from workerd.ledger.problems import Problem
from workerd.ledger.rows import COLUMNS, judge_row
from workerd.models import Job, Node
from workerd.models.clock import read_now
from workerd.targets import TargetError
from workerd.wire.messages import JobChanged, JobRefused, JobRemoved, JobsListed, Message
from workerd.wire.spec import JobSpec


def allow_shop(target: str, command: str) -> None:
    if not (command or target.startswith("shop.")):
        raise TargetError("target", f"“{target}” is not allowed", "Allow it.")


def classify(**values: Any) -> tuple[JobSpec, str]:
    plain = {**JobSpec(name="mail", id=7, target="shop.jobs.mail").to_dict(), "kwargs": "{}", **values}
    verdict = judge_row(tuple(plain[name] for name in COLUMNS), allow_shop)
    return verdict.spec, verdict.problem


def test_a_right_row_is_its_spec() -> None:
    spec, problem = classify(kwargs='{"warehouse": "main"}', processes=3, max_age=60.5)

    assert problem == ""
    assert spec == JobSpec(
        name="mail", id=7, target="shop.jobs.mail", kwargs={"warehouse": "main"}, processes=3, max_age=60.5
    )


def test_a_schedule_of_spaces_is_refused_by_itself() -> None:
    _, problem = classify(schedule="  ", restart="never")

    assert problem.startswith("it is blank: write “30 2 * * *”")


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"processes": None}, "processes is empty: set it to a whole number from 0 to 1000."),
    ({"stop_timeout": float("nan")}, "stop_timeout is nan: set it to a duration from 1 ms to 3650 d."),
    ({"kwargs": "[1]"}, 'kwargs is a list: write an object, such as {"warehouse": "main"}.'),
    ({"kwargs": "{"}, "kwargs is not JSON (Expecting property name enclosed in double quotes: "),
    ({"kwargs": "[" * 100_000}, "kwargs nests deeper than 30 lists and objects: make it flatter."),
    ({"kwargs": None}, 'kwargs is null: write an object, such as {"warehouse": "main"}.'),
    ({"kwargs": b"{}"}, 'kwargs is a bytes: write an object, such as {"warehouse": "main"}.'),
    ({"takeover_after": 5.0}, "takeover_after is 5 s: set it to a duration from 10 s to 1 h."),
    ({"scope": "region"}, "scope is 'region': choose one of each_node, fleet."),
    ({"where": "zone~b"}, "where names the label 'zone~b': use letters, digits, - _ . and, in a name, /, "),
    ({"labels": "team"}, "labels has 'team' where a label should be: write “name=value”, with a comma between two, "),
    ({"target": ""}, "Neither target nor command is set: set one of them."),
    ({"target": "os.system"}, "“os.system” is not allowed. Allow it."),
    ({"name": b"\xff"}, "name is b'\\xff', not a text: write it as a text."),
    (
        {"backoff_max": 0.1},
        "backoff_max, the longest delay, is 100 ms, shorter than backoff_initial, the first, 500 ms",
    ),
]
"""Of each kind one: all of them stand in the tests of ``job_rules``."""


@pytest.mark.parametrize(("values", "sentence"), FAULTS, ids=[sentence[:40] for _, sentence in FAULTS])
def test_a_fault_has_its_sentence_and_still_gives_a_spec(values: dict[str, Any], sentence: str) -> None:
    spec, problem = classify(**values)

    assert problem.startswith(sentence)
    assert JobSpec.from_dict(spec.to_dict()) == spec
    assert find_faults({**values_of(spec), "target": "a.b", "command": "", "backoff_max": 60.0}) == []


def test_every_fault_of_a_row_is_said_at_once() -> None:
    _, problem = classify(processes=-1, restart="sometimes", nice=99)

    assert all(name in problem for name in ("processes", "restart", "nice"))


@pytest.mark.parametrize(
    ("name", "known_as"), [("two words", "two-words-id-7"), ("x" * 200, "x" * 60 + "-id-7"), ("", "-id-7")]
)
def test_a_row_without_a_usable_name_is_refused_by_one_that_leads_to_it(name: str, known_as: str) -> None:
    spec, problem = classify(name=name)

    assert problem
    assert spec.name == known_as


def test_a_check_that_breaks_refuses_the_row_and_raises_nothing() -> None:
    def broken(target: str, command: str) -> None:
        raise RuntimeError("out of order")

    row = tuple({**JobSpec(name="mail", target="a.b").to_dict(), "kwargs": "{}"}[name] for name in COLUMNS)

    assert judge_row(row, broken).problem == "out of order"


# the poll


@pytest.fixture
def rows() -> JobRows:
    return JobRows("default", allow_shop)


@pytest.fixture
def mail(db: None) -> Job:
    return Job.objects.create(name="mail", target="shop.jobs.mail", kwargs={"to": "Ö'\"☃", "deep": [1, {"a": None}]})


def names_of(messages: list[Message]) -> list[tuple[str, str | int]]:
    names: list[tuple[str, str | int]] = []
    for message in messages:
        match message:
            case JobChanged() | JobRefused():
                names.append((type(message).__name__, message.spec["name"]))
            case JobRemoved():
                names.append(("JobRemoved", message.name))
            case JobsListed():
                names.append(("JobsListed", message.count))
    return names


def poll(rows: JobRows) -> list[tuple[str, str | int]]:
    messages = rows.poll()
    rows.write_problems()
    return names_of(messages)


def problem_of(job: Job) -> str:
    job.refresh_from_db()
    return job.problem


@pytest.mark.django_db
def test_the_first_poll_of_an_empty_table_says_so(rows: JobRows) -> None:
    assert poll(rows) == [("JobsListed", 0)]
    assert poll(rows) == []


def test_the_first_poll_tells_every_row_and_later_ones_nothing(rows: JobRows, mail: Job) -> None:
    Job.objects.create(name="feed", command="expire_carts --all")

    assert sorted(poll(rows)) == [("JobChanged", "feed"), ("JobChanged", "mail"), ("JobsListed", 2)]
    assert poll(rows) == []


def test_the_spec_told_is_the_models_own(rows: JobRows, mail: Job) -> None:
    changed = rows.poll()[0]

    assert isinstance(changed, JobChanged)
    assert JobSpec.from_dict(changed.spec) == Job.objects.get().to_spec()


def test_a_quiet_poll_is_one_query(rows: JobRows, mail: Job) -> None:
    poll(rows)
    with CaptureQueriesContext(connection) as queries:
        poll(rows)

    assert len(queries) == 1


def test_a_row_changed_by_an_update_is_told(rows: JobRows, mail: Job) -> None:
    poll(rows)
    Job.objects.update(processes=4)

    assert poll(rows) == [("JobChanged", "mail"), ("JobsListed", 1)]


def test_notes_are_nobodys_business(rows: JobRows, mail: Job) -> None:
    poll(rows)
    Job.objects.update(notes="ask Ann")

    assert poll(rows) == []


def test_a_deleted_row_is_told(rows: JobRows, mail: Job) -> None:
    poll(rows)
    mail.delete()

    assert poll(rows) == [("JobRemoved", "mail"), ("JobsListed", 0)]


def test_a_renamed_row_is_one_job_less_and_one_more(rows: JobRows, mail: Job) -> None:
    poll(rows)
    Job.objects.update(name="post")

    assert poll(rows) == [("JobRemoved", "mail"), ("JobChanged", "post"), ("JobsListed", 1)]


def test_a_row_deleted_and_made_again_is_changed_not_removed(rows: JobRows, mail: Job) -> None:
    poll(rows)
    mail.delete()
    Job.objects.create(name="mail", target="shop.jobs.mail")

    assert poll(rows) == [("JobChanged", "mail"), ("JobsListed", 1)]


def test_a_refused_row_stops_no_other_and_says_why_on_the_row(rows: JobRows, mail: Job) -> None:
    bad = Job.objects.create(name="bad", target="os.system")

    assert sorted(poll(rows)) == [("JobChanged", "mail"), ("JobRefused", "bad"), ("JobsListed", 2)]
    assert problem_of(bad) == "“os.system” is not allowed. Allow it."
    assert problem_of(mail) == ""


def test_a_row_put_right_is_told_and_its_problem_cleared(rows: JobRows, mail: Job) -> None:
    Job.objects.update(target="os.system")
    poll(rows)
    Job.objects.update(target="shop.jobs.mail")

    assert poll(rows) == [("JobChanged", "mail"), ("JobsListed", 1)]
    assert problem_of(mail) == ""


def test_kwargs_that_are_no_object_are_refused(rows: JobRows, mail: Job) -> None:
    Job.objects.update(kwargs=[1, 2])

    assert poll(rows) == [("JobRefused", "mail"), ("JobsListed", 1)]


def test_a_problem_is_written_only_when_it_changed(rows: JobRows, mail: Job) -> None:
    Job.objects.update(target="os.system")
    poll(rows)
    with CaptureQueriesContext(connection) as queries:
        poll(rows)

    assert len(queries) == 1


def test_two_ledgers_of_different_code_do_not_write_a_problem_against_each_other(rows: JobRows, mail: Job) -> None:
    """One allows what the other refuses: each has written its judgement once, and the row is left alone."""
    Job.objects.update(target="os.system")
    other = JobRows("default", lambda _target, _command: None)
    told = []
    for _ in range(5):
        for ledger in (rows, other):
            poll(ledger)
            told.append(problem_of(mail))

    assert "os.system" in told[0]
    assert len(set(told[2:])) == 1


def test_a_problem_left_by_an_earlier_ledger_is_cleared_when_the_row_is_right(rows: JobRows, mail: Job) -> None:
    Job.objects.update(problem="was wrong once")

    assert poll(rows)[0] == ("JobChanged", "mail")
    assert problem_of(mail) == ""


def test_what_the_daemon_found_stays_until_the_row_is_edited(rows: JobRows, mail: Job) -> None:
    poll(rows)
    Job.objects.update(problem="does not import")
    rows.note_problem("mail", Problem("does not import"))
    poll(rows)
    kept = problem_of(mail)
    Job.objects.update(processes=2)
    poll(rows)

    assert kept == "does not import"
    assert problem_of(mail) == ""


def test_a_problem_of_any_length_fits_a_message(mail: Job) -> None:
    def complain(target: str, command: str) -> None:
        raise TargetError("target", "x" * 200_000, "Calm down.")

    messages = JobRows("default", complain).poll()

    assert isinstance(messages[0], JobRefused)
    assert len(messages[0].problem) == 4000


# where a row may run


def specs_of(messages: list[Message]) -> list[tuple[str, int, str]]:
    """Return name, processes, and why it cannot run here, of each row that is told."""
    return [
        (
            message.spec["name"],
            message.spec["processes"],
            getattr(message, "misfit", "") or getattr(message, "problem", ""),
        )
        for message in messages
        if isinstance(message, JobChanged | JobRefused)
    ]


def test_a_job_of_each_node_asks_for_no_process_where_the_labels_do_not_fit(mail: Job) -> None:
    rows = JobRows("default", allow_shop, here=Here("default", "a", {"zone": "a"}))
    Job.objects.update(where="zone=b", processes=2)
    misfit = specs_of(rows.poll())
    Job.objects.update(where="zone=a")
    fit = specs_of(rows.poll())
    Job.objects.update(where="zone=b", scope="fleet")
    fleet = specs_of(rows.poll())

    assert misfit == [("mail", 0, "has zone=a, and where asks for zone=b")]
    assert fit == [("mail", 2, "")]
    assert fleet == [("mail", 2, "")], "a node that does not fit claims no seat of it"


def test_labels_that_cannot_be_read_refuse_the_row(mail: Job) -> None:
    Job.objects.update(where="zone~b", takeover_after=10)

    assert [(name, "names the label" in why) for name, _, why in specs_of(JobRows("default", allow_shop).poll())] == [
        ("mail", True)
    ]


@pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")
def test_a_fleet_job_is_refused_while_another_host_uses_the_file_of_sqlite(mail: Job) -> None:
    rows = JobRows("default", allow_shop, here=Here("default", "a"))
    Job.objects.update(scope="fleet")
    Job.objects.create(name="other", target="shop.jobs.mail")
    Node.objects.create(name="web", host="a", pulse=read_now("default"))
    alone = specs_of(rows.poll())
    there = Node.objects.create(name="web", host="b", pulse=read_now("default"))
    shared = rows.poll()
    rows.write_problems()
    problem, jobs = problem_of(mail), rows.fleet_jobs()
    there.delete()
    again = specs_of(rows.poll())

    assert alone == [("mail", 1, ""), ("other", 1, "")]
    if connection.vendor == "sqlite":
        assert problem.startswith("scope is fleet, and SQLite serves one host: a node on b uses the file, too.")
        assert (specs_of(shared), jobs, again) == ([("mail", 1, problem)], (), [("mail", 1, "")])
    else:
        assert (specs_of(shared), problem, len(jobs), again) == ([], "", 1, [])


class FailsOnce(Here):
    """The database goes away between the reading of the rows and the look at the fleet."""

    is_away = True

    def look(self, specs: Iterable[JobSpec]) -> bool:
        was_away, self.is_away = self.is_away, False
        if was_away:
            raise OperationalError("the server closed the connection")
        return super().look(specs)


def test_what_was_read_is_told_although_the_database_failed_meanwhile(mail: Job) -> None:
    rows = JobRows("default", allow_shop, here=FailsOnce("default"))
    with pytest.raises(OperationalError):
        rows.poll()

    assert names_of(rows.poll()) == [("JobChanged", "mail"), ("JobsListed", 1)]


def test_what_is_found_wrong_is_the_same_object_until_something_changes(rows: JobRows, mail: Job) -> None:
    """So a poll of rows that have not changed costs nothing that grows with them."""
    Job.objects.update(target="os.system")
    rows.poll()
    before = rows.problems()
    rows.poll()

    assert rows.problems() is before
    rows.note_problem("other", Problem("does not import"))
    assert rows.problems() is not before


@pytest.mark.backends("sqlite")
@pytest.mark.django_db(transaction=True)
def test_bytes_in_place_of_text_hide_no_other_row(rows: JobRows) -> None:
    Job.objects.create(name="mail", target="shop.jobs.mail")
    Job.objects.create(name="odd", target="shop.jobs.odd")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workerd_job SET target = CAST(x'73ff' AS TEXT) WHERE name = 'odd'")
    refresh(connection)

    assert sorted(poll(rows)) == [("JobChanged", "mail"), ("JobRefused", "odd"), ("JobsListed", 2)]
    connection.close()  # it would go on reading leniently

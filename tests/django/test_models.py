"""The rows: what the database itself refuses, and what outlives what."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from workerd.admin.jobs.form import JobForm
from workerd.job_rules import find_faults, values_of
from workerd.job_rules.choices import CHOICES
from workerd.job_rules.ranges import RANGES
from workerd.job_rules.stored_json import MAX_DEPTH
from workerd.job_rules.texts import TEXT_LIMITS
from workerd.management.refused_jobs import find_refused_jobs
from workerd.models import Job, Node, Operation, Run, Slot
from workerd.models.job import HEARTBEAT_CHOICES, RESTART_CHOICES
from workerd.models.run import OUTCOME_CHOICES
from workerd.models.slot import STATE_CHOICES
from workerd.wire.spec import LATER_FIELDS, JobSpec
from workerd.wire.words import Heartbeat, Outcome, Restart, State

pytestmark = pytest.mark.django_db


def nested(depth: int) -> dict[str, Any]:
    """Return arguments that are as deep."""
    return {"warehouse": json.loads("[" * (depth - 1) + "]" * (depth - 1))}


BAD_ROWS: list[dict[str, Any]] = [
    {"target": "", "command": ""},
    {"target": "shop.jobs.x", "command": "db_worker"},
    {"processes": -1},
    {"processes": 1001},
    {"restart": "sometimes"},
    {"heartbeat": "none"},
    {"stop_signal": "KILL"},
    {"backoff_initial": -0.1},
    {"backoff_initial": 61.0},
    {"backoff_max": 0.4},
    {"max_restarts": -1},
    {"restart_window": 0.0},
    {"start_grace": -1.0},
    {"start_timeout": 0.0},
    {"start_timeout": 1.0, "start_grace": 1.0},
    {"heartbeat_timeout": 0.0},
    {"stop_timeout": 0.0},
    {"max_memory": 0.0},
    {"max_age": -1.0},
    {"nice": -21},
    {"nice": 20},
]
GOOD_ROWS: list[dict[str, Any]] = [
    {"target": "", "command": "expire_carts --verbosity 2"},
    {"processes": 0},
    {"processes": 1000},
    {"backoff_initial": 0.0},
    {"backoff_initial": 0.0, "backoff_max": 0.0},
    {"max_restarts": 0},
    {"start_grace": 0.0},
    {"start_timeout": 1.0, "start_grace": 1.0, "signals_ready": True},
    {"nice": -20},
    {"nice": 19},
    {"kwargs": {"warehouse": [1, 2.5, None, {"ü": "ß💥"}]}},
    {"kwargs": nested(MAX_DEPTH)},
    {"notes": "ü" * 70_000},
]


def names_of(values: dict[str, Any]) -> str:
    return "-".join(values)


def make_job(**values: Any) -> Job:
    return Job.objects.create(**{"name": "mail-outbox", "target": "shop.jobs.ship_orders", **values})


@pytest.mark.parametrize("values", BAD_ROWS, ids=names_of)
def test_the_database_itself_refuses_what_cannot_run(values: dict[str, Any]) -> None:
    make_job()

    with pytest.raises(DatabaseError), transaction.atomic():
        Job.objects.update(**values)


@pytest.mark.parametrize("seconds", [float("inf"), float("nan")])
def test_a_duration_that_is_no_number_never_gets_into_a_row(seconds: float) -> None:
    make_job()

    # The constraint says so, or SQLite, to which NaN is null, or MySQL's driver (PyMySQL by an error not Django's).
    refusal = "workerd_job_stop_timeout_range|NOT NULL constraint failed|can not be used with MySQL"
    with pytest.raises(Exception, match=refusal), transaction.atomic():
        Job.objects.update(stop_timeout=seconds)


@pytest.mark.parametrize("values", BAD_ROWS, ids=names_of)
def test_a_form_refuses_what_the_database_would(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Job(**{"name": "mail-outbox", "target": "shop.jobs.ship_orders", **values}).full_clean()


@pytest.mark.parametrize("values", GOOD_ROWS, ids=names_of)
def test_what_can_run_is_kept_as_it_is(values: dict[str, Any]) -> None:
    job = make_job(**values)
    job.full_clean()

    again = Job.objects.get()

    assert {name: getattr(again, name) for name in values} == values


def test_every_number_has_a_range() -> None:
    numbers = {
        field.name for field in Job._meta.fields if field.get_internal_type().endswith(("FloatField", "IntegerField"))
    }

    assert numbers == set(RANGES)


def test_every_column_of_a_word_or_a_text_is_as_long_as_its_rule_says() -> None:
    choices = {field.name: tuple(dict(field.flatchoices)) for field in Job._meta.fields if field.choices}

    assert choices == CHOICES
    assert {field.name: field.max_length for field in Job._meta.fields if field.name in TEXT_LIMITS} == TEXT_LIMITS


def test_a_name_is_unique() -> None:
    make_job()

    with pytest.raises(IntegrityError), transaction.atomic():
        make_job()


@pytest.mark.parametrize("name", ["", "two words", "a:1", "a/b", "ä", "x" * 101, "a\0b"])
def test_a_name_is_a_slug_of_at_most_100_characters(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Job(name=name, target="shop.jobs.ship_orders").full_clean()

    assert list(caught.value.message_dict) == ["name"]


@pytest.mark.parametrize(
    ("target", "command", "sentence"),
    [
        ("", "", "Neither target nor command is set: set one of them."),
        (" ", " ", "Neither target nor command is set: set one of them."),
        ("shop.jobs.x", "db_worker", "Both target and command are set: clear one of them."),
    ],
)
def test_one_of_target_and_command_is_asked_for_beside_both(target: str, command: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Job(name="a", target=target, command=command).full_clean()

    assert caught.value.message_dict == {"target": [sentence], "command": [sentence]}


@pytest.mark.parametrize(
    "values",
    [
        *BAD_ROWS,
        {"name": None},
        {"target": None},
        {"processes": None},
        {"processes": "abc"},
        {"max_age": ""},
        {"enabled": "perhaps"},
        {"stop_signal": ""},
        {"kwargs": None},
        {"kwargs": {"a": float("nan")}},
        {"kwargs": nested(600)},
        {"kwargs": {"a": object()}},
    ],
    ids=names_of,
)
def test_what_the_rules_say_is_all_that_a_fault_is_told_by(values: dict[str, Any]) -> None:
    """Django's validators, its constraints and the column's own type would each have a sentence too."""
    job = Job(**{"name": "a", "target": "shop.jobs.ship_orders", **values})
    told: dict[str, list[str]] = {}
    for fault in find_faults(values_of(job)):
        told.setdefault(fault.field, []).append(fault.sentence)

    with pytest.raises(ValidationError) as caught:
        job.full_clean()

    assert caught.value.message_dict == told


def test_a_value_left_out_of_the_check_is_not_judged() -> None:
    Job(name="a", target="shop.jobs.ship_orders", processes=-1).full_clean(exclude={"processes"})
    Job(name="b", target="os.system").full_clean(exclude={"target"})


CANNOT_RUN: list[tuple[dict[str, Any], str, str]] = [
    ({"command": "flush"}, "command", "“flush” is not a management command that the project allows."),
    ({"command": "no_such"}, "command", "“no_such” is not a management command of any installed app."),
    ({"command": "expire_carts -v x"}, "command", "“expire_carts” does not take “-v x”"),
    (
        {"command": "python manage.py expire_carts"},
        "command",
        "command begins with “python”, as in a shell: write only",
    ),
    ({"target": "os.system"}, "target", "“os.system” is not a job that the project allows."),
    ({"target": "shop.stocktaking.no_such"}, "target", "“shop.stocktaking.no_such” does not exist"),
    ({"target": "shop.jobs.ship_orders", "kwargs": {"depot": 1}}, "kwargs", "“shop.jobs.ship_orders” takes no"),
]


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize(("values", "field", "begins"), CANNOT_RUN)
def test_what_the_project_cannot_run_is_refused_whoever_makes_the_row(
    values: dict[str, Any], field: str, begins: str, enabled: bool
) -> None:
    with pytest.raises(ValidationError) as caught:
        Job(name="mail", enabled=enabled, **values).full_clean()

    assert list(caught.value.message_dict) == [field]
    assert caught.value.message_dict[field][0].startswith(begins)


def test_a_stored_job_that_cannot_run_any_more_may_be_switched_off_and_nothing_else() -> None:
    job = make_job(target="shop.jobs.was_renamed")
    with pytest.raises(ValidationError):
        job.full_clean()

    job.enabled, job.notes = False, "broken since Tuesday"
    job.full_clean()

    job.kwargs["warehouse"] = "main"
    with pytest.raises(ValidationError):
        job.full_clean()


def test_a_job_with_defaults_is_a_spec_with_defaults() -> None:
    job = make_job()

    assert Job.objects.get().to_spec() == JobSpec(name="mail-outbox", id=job.pk, target="shop.jobs.ship_orders")


def test_what_an_earlier_release_has_left_null_is_the_default_to_everybody() -> None:
    job = make_job()
    Job.objects.update(**dict.fromkeys(LATER_FIELDS))
    job.refresh_from_db()

    assert job.environment is None
    job.full_clean()
    assert job.to_spec() == JobSpec(name="mail-outbox", id=job.pk, target="shop.jobs.ship_orders")
    assert list(find_refused_jobs("default", jobs_are_loaded=True)) == []
    shown = JobForm(instance=job).initial
    assert (shown["environment"], shown["starts_after"], shown["umask"], shown["working_directory"]) == ({}, [], "", "")
    Job.objects.update(enabled=False, target="shop.jobs.was_renamed")
    job.refresh_from_db()
    job.full_clean()  # nothing of what it runs was edited


def test_every_field_of_a_spec_is_a_field_of_the_row() -> None:
    names = {field.name for field in Job._meta.fields}

    assert set(JobSpec._fields) == names - {"notes", "problem", "public_problem", "source", "synced"}


@pytest.mark.parametrize(
    ("choices", "words"),
    [(RESTART_CHOICES, Restart), (HEARTBEAT_CHOICES, Heartbeat), (OUTCOME_CHOICES, Outcome), (STATE_CHOICES, State)],
)
def test_choices_are_the_words_of_the_wire(choices: list[tuple[str, Any]], words: Any) -> None:
    assert [value for value, _label in choices] == [word.value for word in words]


def test_a_fixture_names_jobs_and_nodes_by_their_natural_keys() -> None:
    make_job(kwargs={"warehouse": "main"}, max_age=3600.0)
    Node.objects.create(name="shop", host="web1")

    text = serializers.serialize(
        "json", [*Job.objects.all(), *Node.objects.all()], use_natural_primary_keys=True, use_natural_foreign_keys=True
    )
    Job.objects.update(kwargs={}, max_age=None)
    for row in serializers.deserialize("json", text):
        row.save()

    assert '"pk"' not in text
    assert [(job.name, job.kwargs, job.max_age) for job in Job.objects.all()] == [
        ("mail-outbox", {"warehouse": "main"}, 3600.0)
    ]
    assert [str(node) for node in Node.objects.all()] == ["shop@web1"]


def test_history_outlives_its_job() -> None:
    job = make_job()
    run = Run.objects.create(job=job, job_name=job.name, slot="mail-outbox", born=timezone.now())
    slot = Slot.objects.create(job=job, job_name=job.name, name=job.name, node=Node.objects.create(name="a", host="b"))
    order = Operation.objects.create(verb="restart", job=job, job_name=job.name)
    gone = job.pk

    job.delete()

    for row in (run, slot, order):
        row.refresh_from_db()
        assert (row.job_id, row.job_name) == (gone, "mail-outbox")


def test_a_run_may_be_recorded_for_a_job_and_a_node_that_are_gone() -> None:
    Run.objects.create(job_id=987654, job_name="gone", node_id=987654, node_name="gone@gone", slot="gone:3", index=3)

    assert str(Run.objects.get()).startswith("gone:3 ")


def test_slots_of_a_node_that_is_not_there_are_listed_all_the_same() -> None:
    Slot.objects.create(job_name="a", name="a", node_id=987654)

    assert [slot.name for slot in Slot.objects.all()] == ["a"]


def test_a_place_has_one_slot() -> None:
    node = Node.objects.create(name="a", host="b")
    Slot.objects.create(node=node, job_name="a", index=0, name="a:0")
    Slot.objects.create(node=node, job_name="a", index=1, name="a:1")

    with pytest.raises(IntegrityError), transaction.atomic():
        Slot.objects.create(node=node, job_name="a", index=1, name="a:1")


def test_a_daemon_has_one_node_a_host() -> None:
    Node.objects.create(name="a", host="b")

    with pytest.raises(IntegrityError), transaction.atomic():
        Node.objects.create(name="a", host="b")


def test_an_order_expires_after_a_minute() -> None:
    order = Operation.objects.create(verb="restart", job_name="mail-outbox", slot="mail-outbox:1")

    assert timedelta(seconds=59) < order.expires - order.requested < timedelta(seconds=61)
    assert str(order) == "restart mail-outbox:1"
    assert str(Operation(verb="stop")) == "stop --all"


def test_an_order_is_one_of_the_verbs() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Operation.objects.create(verb="explode")


def test_a_run_keeps_long_texts_and_its_own_id() -> None:
    key = uuid.uuid4()
    Run.objects.create(id=key, job_name="a", slot="a", traceback="é💥" * 50_000, version=2**62)

    run = Run.objects.get()

    assert (run.id, len(run.traceback), run.version) == (key, 100_000, 2**62)


def test_the_migrations_are_complete() -> None:
    call_command("makemigrations", "workerd", check=True, dry_run=True, verbosity=0)


# the order of start


def job(name: str, *starts_after: str, **fields: Any) -> Job:
    return Job(name=name, target="shop.jobs.ship_orders", starts_after=list(starts_after), **fields)


def test_a_row_that_would_close_a_circle_is_refused() -> None:
    job("a", "b").save()
    job("b", "c").save()
    closing = job("c", "a")
    with pytest.raises(ValidationError) as caught:
        closing.full_clean()

    assert caught.value.message_dict == {
        "starts_after": [
            "starts_after makes a circle, c → a → b → c, in which each job would wait for the next: remove one name."
        ]
    }


def test_a_row_that_is_edited_is_judged_as_it_is_now() -> None:
    """Its stored row, and its name before, do not count."""
    first = job("a", "b")
    first.save()
    job("b").save()
    second = Job.objects.get(name="b")
    first.starts_after = []
    first.save()
    second.starts_after = ["a"]
    second.full_clean()
    second.save()
    second.name, second.starts_after = "c", ["b"]
    second.full_clean()


def test_a_row_may_not_start_after_one_with_a_schedule() -> None:
    job("nightly", schedule="@daily", restart="never").save()
    with pytest.raises(ValidationError) as caught:
        job("web", "nightly").full_clean()

    assert list(caught.value.message_dict) == ["starts_after"]


def test_a_row_may_name_one_that_is_made_later() -> None:
    job("web", "bridge").full_clean()


def test_rows_without_an_order_ask_the_database_nothing_about_it(django_assert_num_queries: Any) -> None:
    plain = job("web")
    plain.clean_fields()  # what is looked up once
    with django_assert_num_queries(0):
        plain.clean_fields()


def test_a_row_whose_order_is_left_out_is_not_judged_by_it() -> None:
    job("a", "b").save()
    job("b", "a").clean_fields(exclude={"starts_after"})

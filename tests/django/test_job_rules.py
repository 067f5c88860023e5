"""Whoever judges a row finds the same faults, by the same sentences: model, form, ledger and child."""

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.properties import examples
from workerd.admin.jobs.form import JobForm
from workerd.durations import format_duration
from workerd.job_rules import FIELDS, find_faults, join_sentences
from workerd.job_rules.choices import CHOICES, FLAGS
from workerd.job_rules.ranges import DURATIONS, OPTIONAL, RANGES, WHOLE
from workerd.ledger.rows import COLUMNS, judge_row
from workerd.models import Job
from workerd.targets import RowError, check_allowed, resolve
from workerd.wire.spec import JobSpec

SOUND = JobSpec(name="mail", target="shop.jobs.ship_orders")
TARGETS = ["shop.jobs.ship_orders", "", "shop", "shop.jobs.x()", "a" * 501 + ".b", "nul\0.x", "half\ud800.x"]
COMMANDS = ["", "expire_carts", "expire_carts 'x", "expire_carts --help", "x" * 1001, "expire_carts \0"]
NAMES = st.sampled_from(["mail", "two words", "", "ä", "x" * 101, "a\0b"])


@pytest.fixture(autouse=True)
def _variable(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that a row of these tests asks for: allowed, and set."""
    settings.WORKERD = {**settings.WORKERD, "ENV": ["NAME"]}
    monkeypatch.setenv("NAME", "main")


GOOD_KWARGS: list[Any] = [{}, {"warehouse": "main"}, {"warehouse": {"$env": "NAME"}}]
BAD_KWARGS: list[Any] = [[], "main", 5, {"warehouse": {"$env": ""}}, {"a": "\0"}, {"a": "x" * 70_000}]


def durations(field: str) -> st.SearchStrategy[Any]:
    """What can be typed: of a negative or infinite duration the form says in its own words that it is none."""
    high = DURATIONS[field][1]
    within = st.integers(0, int(high) * 1000).map(lambda milliseconds: milliseconds / 1000)
    return within | st.sampled_from([0.0, 0.5, 1.0, 30.0, high, 2 * high]) | st.none()


def numbers(field: str) -> st.SearchStrategy[Any]:
    low, high = (int(end) for end in RANGES[field])
    beyond = st.sampled_from([low - 1, low, high, high + 1, "many"])
    return st.none() | beyond | (st.integers(low, high) if field in WHOLE else st.floats(low, high))


GOOD_ENVIRONMENT: list[Any] = [{}, None, {"QUEUE": "mail", "TOKEN": {"$env": "NAME"}}]
BAD_ENVIRONMENT: list[Any] = [[], {"QUEUE": 5}, {"LD_PRELOAD": "x"}, {"two words": ""}, {"A": {"$env": ""}}]
JSON = {
    "kwargs": GOOD_KWARGS + BAD_KWARGS,
    "environment": GOOD_ENVIRONMENT + BAD_ENVIRONMENT,
    "starts_after": [[], None, ["feed"], {}, [5], ["feed", "feed"], ["mail"], ["two words"], ["a\0"]],
}


STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "name": NAMES,
    "target": st.sampled_from(TARGETS),
    "command": st.sampled_from(COMMANDS),
    **{field: st.sampled_from(values) for field, values in JSON.items()},
    "working_directory": st.sampled_from(["", "/srv/shop", "srv", "~/shop", "/" + "x" * 1000, "/a\0", None]),
    "umask": st.sampled_from(["", "027", "0022", "22", "888", "0o027", "1777", None]),
    "where": st.sampled_from(["", "zone=a, !disk", " zone ", "zone~a", "a=1,a=2", ",", "x" * 401, "a\0", None]),
    "labels": st.sampled_from(
        ["", "team=a, tier=1", " team = a,tier=1", "team", "a=1,a=2", ",", "x" * 401, "a\0", None]
    ),
    "schedule": st.sampled_from(["", "30 2 * * *", "every 15 min", "6-6/1 * * * *", "@reboot", "x" * 201, None]),
    "time_zone": st.sampled_from(["", "UTC", "Mars/Base", "x" * 65, None]),
    **{field: st.booleans() for field in FLAGS},
    **{field: st.sampled_from([*choices, "", "other"]) for field, choices in CHOICES.items()},
    **{field: numbers(field) for field in RANGES if field not in DURATIONS},
    **{field: durations(field) for field in DURATIONS},
}
CHANGES = st.fixed_dictionaries({}, optional=STRATEGIES)
"""Some fields of a row, each with a value that is right or wrong."""


def grouped(faults: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Return sentences by field, as Django has them."""
    found: dict[str, list[str]] = {}
    for field, sentence in faults:
        found.setdefault(field, []).append(sentence)
    return found


def faults_of(spec: JobSpec) -> list[tuple[str, str]]:
    return [(fault.field, fault.sentence) for fault in find_faults({field: getattr(spec, field) for field in FIELDS})]


def by_the_model(spec: JobSpec) -> dict[str, list[str]]:
    job = Job(**{field: getattr(spec, field) for field in FIELDS})
    try:
        job.full_clean(validate_unique=False)
    except ValidationError as error:
        return error.message_dict
    return {}


def by_the_form(spec: JobSpec) -> dict[str, list[str]]:
    typed = {field: written(field, getattr(spec, field)) for field in FIELDS}
    form = JobForm({field: text for field, text in typed.items() if text is not None})
    form._validate_unique = False  # type: ignore[attr-defined]  # it asks the database
    return {field: [str(sentence) for sentence in sentences] for field, sentences in form.errors.items()}


def written(field: str, value: Any) -> str | None:
    """Return what a browser posts; nothing for a box that is not ticked."""
    if field in FLAGS:
        return "on" if value else None
    if field in JSON:
        return json.dumps(value)
    if value is None:
        return ""
    return format_duration(value) if field in DURATIONS else str(value)


def by_the_ledger(spec: JobSpec) -> str:
    row = {field: json.dumps(value) if field in JSON else value for field, value in spec._asdict().items()}
    return judge_row(tuple(row[field] for field in COLUMNS), check_allowed).problem


def by_the_child(spec: JobSpec) -> list[tuple[str, str]]:
    try:
        resolve(spec)
    except RowError as error:
        return [(fault.field, fault.sentence) for fault in error.faults]
    return []


def test_every_field_that_a_rule_reads_is_tried() -> None:
    assert set(STRATEGIES) == set(FIELDS)
    assert set(OPTIONAL) < set(STRATEGIES)


@pytest.mark.slow
@pytest.mark.django_db
@settings(max_examples=examples(60))
@given(CHANGES)
def test_model_form_ledger_and_child_find_the_same_faults_by_the_same_sentences(changes: dict[str, Any]) -> None:
    spec = SOUND._replace(**changes)
    faults = faults_of(spec)
    with transaction.atomic():
        make_jobs_to_start_after(spec)

        assert by_the_model(spec) == grouped(faults)
        assert by_the_form(spec) == grouped(faults)
        assert by_the_child(spec) == faults
        assert by_the_ledger(spec) == join_sentences(find_faults({field: getattr(spec, field) for field in FIELDS}))

        transaction.set_rollback(True)


def make_jobs_to_start_after(spec: JobSpec) -> None:
    """Have the row's ``starts_after`` name jobs that there are, which the form alone asks."""
    if not find_faults({"starts_after": spec.starts_after}):
        for name in {*(spec.starts_after or ())} - {spec.name}:
            Job.objects.create(name=name, target="shop.jobs.ship_orders")


@pytest.mark.django_db
def test_a_sound_row_is_sound_to_everybody() -> None:
    assert (by_the_model(SOUND), by_the_form(SOUND), by_the_child(SOUND), by_the_ledger(SOUND)) == ({}, {}, [], "")

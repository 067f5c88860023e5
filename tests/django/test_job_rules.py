"""Whoever judges a row finds the same faults, by the same sentences: model, form, ledger and child."""

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

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


STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "name": NAMES,
    "target": st.sampled_from(TARGETS),
    "command": st.sampled_from(COMMANDS),
    "kwargs": st.sampled_from(GOOD_KWARGS + BAD_KWARGS),
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
    if field == "kwargs":
        return json.dumps(value)
    if value is None:
        return ""
    return format_duration(value) if field in DURATIONS else str(value)


def by_the_ledger(spec: JobSpec) -> str:
    row = {**{field: getattr(spec, field) for field in COLUMNS}, "kwargs": json.dumps(spec.kwargs)}
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


@pytest.mark.django_db
@settings(deadline=None, max_examples=60)
@given(CHANGES)
def test_model_form_ledger_and_child_find_the_same_faults_by_the_same_sentences(changes: dict[str, Any]) -> None:
    spec = SOUND._replace(**changes)
    faults = faults_of(spec)

    assert by_the_model(spec) == grouped(faults)
    assert by_the_form(spec) == grouped(faults)
    assert by_the_child(spec) == faults
    assert by_the_ledger(spec) == join_sentences(find_faults({field: getattr(spec, field) for field in FIELDS}))


@pytest.mark.django_db
def test_a_sound_row_is_sound_to_everybody() -> None:
    assert (by_the_model(SOUND), by_the_form(SOUND), by_the_child(SOUND), by_the_ledger(SOUND)) == ({}, {}, [], "")

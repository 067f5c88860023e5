"""Secret arguments: written in the form, kept under their mask, read nowhere."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from workerd.admin.jobs.masking import MASK, NothingStoredError, masked, restored
from workerd.models import Job

from .admin_form import JOB_FORM
from .admin_roles import client_of

pytestmark = pytest.mark.django_db

SECRET = "hunter2-and-more"
KWARGS = {"warehouse": "main", "api_token": SECRET, "deep": [{"Password": {"a": SECRET}}], "key": {"$env": "KEY"}}
TAKES_ANYTHING = "tests.process.bad_jobs.jobs.log"


@pytest.fixture
def superuser() -> Client:
    return client_of("superuser")


@pytest.fixture
def job(settings: Any) -> Job:
    settings.WORKERD = {**settings.WORKERD, "ENV": ["KEY"]}
    return Job.objects.create(name="a", target=TAKES_ANYTHING, kwargs=KWARGS)


def post(client: Client, url: str, kwargs: Any, **values: Any) -> Any:
    return client.post(url, {**JOB_FORM, "name": "a", "target": TAKES_ANYTHING, "kwargs": json.dumps(kwargs), **values})


def test_no_page_shows_a_secret(superuser: Client, job: Job) -> None:
    change = reverse("admin:workerd_job_change", args=[job.pk])
    post(superuser, change, {**KWARGS, "api_token": f"{SECRET}-new"})
    pages = [
        change,
        *(reverse(f"admin:workerd_job_{name}", args=[job.pk]) for name in ("page", "page_live", "history", "delete")),
    ]

    for url in [
        *pages,
        reverse("admin:workerd_job_changelist"),
        reverse("admin:workerd_job_live"),
        reverse("admin:index"),
    ]:
        for client in (superuser, client_of("viewer")) if url == change else (superuser,):
            content = client.get(url).content.decode()
            assert SECRET not in content, url
    assert not any(SECRET in str(vars(entry)) for entry in LogEntry.objects.all())


def test_names_of_environment_variables_and_plain_arguments_are_shown(superuser: Client, job: Job) -> None:
    shown = (
        superuser.get(reverse("admin:workerd_job_change", args=[job.pk])).context["adminform"].form["kwargs"].value()
    )

    expected = {"warehouse": "main", "api_token": MASK, "deep": [{"Password": MASK}], "key": {"$env": "KEY"}}
    assert json.loads(shown) == expected


def test_a_mask_that_comes_back_keeps_what_is_stored(superuser: Client, job: Job) -> None:
    url = reverse("admin:workerd_job_change", args=[job.pk])

    post(superuser, url, {**masked(KWARGS), "warehouse": "north"})

    job.refresh_from_db()
    assert job.kwargs == {**KWARGS, "warehouse": "north"}


def test_a_new_value_replaces_what_is_stored(superuser: Client, job: Job) -> None:
    post(superuser, reverse("admin:workerd_job_change", args=[job.pk]), {**masked(KWARGS), "api_token": "new"})

    job.refresh_from_db()
    assert job.kwargs == {**KWARGS, "api_token": "new"}


def test_saving_as_a_new_job_copies_the_secrets(superuser: Client, job: Job) -> None:
    post(superuser, reverse("admin:workerd_job_change", args=[job.pk]), masked(KWARGS), name="copy", _saveasnew="1")

    assert Job.objects.get(name="copy").kwargs == KWARGS


def test_a_mask_without_anything_stored_is_refused(superuser: Client) -> None:
    response = post(superuser, reverse("admin:workerd_job_add"), {"outer": {"password": MASK}})

    errors = response.context["adminform"].errors
    assert errors == {"kwargs": ["Nothing is stored for “outer.password”: write its value."]}


ENTRIES = [{"name": name, "password": f"{SECRET}-{name}"} for name in ("ann", "bob", "cyd")]


@pytest.mark.parametrize(
    "edited",
    [
        lambda entries: entries[1:],
        lambda entries: entries[::-1],
        lambda entries: [{"name": "eve", "password": MASK}, *entries],
        lambda entries: [*entries, {"name": "eve", "password": MASK}],
        lambda entries: [{**entries[0], "name": "eve"}, *entries[1:]],
        lambda entries: [entries[0], entries[0]],
    ],
)
@pytest.mark.parametrize("wrap", [lambda entries: {"all": entries}, lambda entries: {"deep": [{"all": [entries]}]}])
def test_no_entry_of_a_list_gets_the_secret_of_another(edited: Any, wrap: Any) -> None:
    stored = wrap(ENTRIES)
    shown = masked(ENTRIES)

    assert restored(wrap(shown), stored) == stored
    with pytest.raises(NothingStoredError) as caught:
        restored(wrap(edited(shown)), stored)
    assert caught.value.in_list
    assert restored(wrap([{"name": "eve", "password": "new"}]), stored) == wrap([{"name": "eve", "password": "new"}])


def test_the_form_says_which_secrets_of_a_list_to_write_anew(superuser: Client, job: Job) -> None:
    Job.objects.update(kwargs={"all": ENTRIES})
    url = reverse("admin:workerd_job_change", args=[job.pk])

    response = post(superuser, url, {"all": masked(ENTRIES)[1:]})

    sentence = "The list around “all[0].password” was changed: write the secrets in it anew."
    assert response.context["adminform"].errors == {"kwargs": [sentence]}
    job.refresh_from_db()
    assert job.kwargs == {"all": ENTRIES}


@pytest.mark.parametrize("kwargs", [{}, {"a": [1, None, True, {"b": "c"}]}, KWARGS])
def test_masking_and_restoring_gives_what_was(kwargs: Any) -> None:
    assert restored(masked(kwargs), kwargs) == kwargs


def test_the_patterns_are_the_projects(settings: Any) -> None:
    settings.WORKERD = {**settings.WORKERD, "SECRET_KWARGS": ["warehouse"]}

    assert masked({"warehouse": "main", "password": "x"}) == {"warehouse": MASK, "password": "x"}

"""Secret arguments: written in the form, kept under their mask, read nowhere."""

import html
import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from workerd.admin.jobs.masking import NothingStoredError, masked, restored
from workerd.command_secrets import MASK
from workerd.models import Job

from .admin_form import JOB_FORM
from .admin_roles import client_of

pytestmark = pytest.mark.django_db

SECRET = "hunter2-and-more"
KWARGS = {
    "warehouse": "main",
    "api_token": SECRET,
    "deep": [{"Password": {"a": SECRET}}],
    "key": {"$env": "KEY"},
    "replicas": [f"postgres://shop:{SECRET}@db/shop"],
}
ENVIRONMENT = {"QUEUE": "mail", "API_TOKEN": SECRET, "KEY": {"$env": "KEY"}, "BROKER": f"amqp://shop:{SECRET}@mq"}
TAKES_ANYTHING = "tests.process.bad_jobs.jobs.log"


@pytest.fixture
def superuser() -> Client:
    return client_of("superuser")


@pytest.fixture
def job(settings: Any) -> Job:
    settings.WORKERD = {**settings.WORKERD, "ENV": ["KEY"]}
    return Job.objects.create(name="a", target=TAKES_ANYTHING, kwargs=KWARGS, environment=ENVIRONMENT)


def post(client: Client, url: str, kwargs: Any, environment: Any = None, **values: Any) -> Any:
    stored = masked(ENVIRONMENT if environment is None else environment)
    written = {"kwargs": json.dumps(kwargs), "environment": json.dumps(stored)}
    return client.post(url, {**JOB_FORM, "name": "a", "target": TAKES_ANYTHING, **written, **values})


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


@pytest.fixture
def command(settings: Any) -> Job:
    settings.WORKERD = {**settings.WORKERD, "COMMANDS": ["identify"]}
    line = f"identify --api-token {SECRET} --fast redis://:{SECRET}@r"
    problem = "“identify” does not take “--api-token ******** --fast”: unrecognized arguments: --api-token ********"
    return Job.objects.create(name="a", command=line, problem=problem, public_problem=problem)


@pytest.mark.parametrize("role", ["superuser", "viewer", "editor"])
def test_no_page_shows_a_secret_of_a_command(role: str, command: Job) -> None:
    client = client_of(role)
    names = ("change", "page", "page_live", "history")
    urls = [reverse(f"admin:workerd_job_{name}", args=[command.pk]) for name in names]

    for url in (*urls, reverse("admin:workerd_job_changelist"), reverse("admin:workerd_job_live")):
        content = client.get(url).content.decode()
        assert "identify" in content or "live" in url or "history" in url, url
        assert SECRET not in content, url


@pytest.mark.parametrize("term", [f"--api-token {SECRET}"[:-3], SECRET[:4], "--api", f"redis://:{SECRET}"[:-3]])
def test_no_search_tells_a_secret_of_a_command(term: str, command: Job) -> None:
    client = client_of("viewer")
    for query in (term, f'"identify {term}', f'"identify {term}"', f"'identify {term}'"):
        found = client.get(reverse("admin:workerd_job_changelist"), {"q": query}).context["cl"].result_list
        assert list(found) == [], query
    assert list(client.get(reverse("admin:workerd_job_changelist"), {"q": "ident"}).context["cl"].result_list)


def test_a_command_that_comes_back_masked_keeps_its_secrets(superuser: Client, command: Job) -> None:
    url = reverse("admin:workerd_job_change", args=[command.pk])
    shown = superuser.get(url).context["adminform"].form["command"].value()
    values = {**JOB_FORM, "name": "a", "target": "", "kwargs": "{}"}
    forms = [
        superuser.post(url, {**values, "command": line}).context["adminform"].form
        for line in (shown, shown.replace("--fast", "--slow"), shown.replace("api-token", "label"))
    ]

    assert shown == "identify --api-token ******** --fast redis://:********@r"
    assert "write the secrets in it anew" not in str(forms[0].errors)
    assert all("write the secrets in it anew" in str(form.errors["command"]) for form in forms[1:])
    assert SECRET not in str(forms[0].errors)


def test_names_of_environment_variables_and_plain_arguments_are_shown(superuser: Client, job: Job) -> None:
    shown = (
        superuser.get(reverse("admin:workerd_job_change", args=[job.pk])).context["adminform"].form["kwargs"].value()
    )

    expected = {
        "warehouse": "main",
        "api_token": MASK,
        "deep": [{"Password": MASK}],
        "key": {"$env": "KEY"},
        "replicas": [MASK],
    }
    assert json.loads(shown) == expected


@pytest.mark.parametrize("role", ["superuser", "viewer"])
def test_of_the_environment_a_page_shows_what_is_no_secret(role: str, job: Job) -> None:
    client = client_of(role)
    for page in ("change", "page"):
        shown = html.unescape(client.get(reverse(f"admin:workerd_job_{page}", args=[job.pk])).content.decode())

        for part in ('"QUEUE": "mail"', f'"API_TOKEN": "{MASK}"', f'"BROKER": "{MASK}"', '"KEY": {"$env": "KEY"}'):
            assert part in shown, (page, part)
        assert SECRET not in shown


def test_a_mask_that_comes_back_keeps_what_is_stored(superuser: Client, job: Job) -> None:
    url = reverse("admin:workerd_job_change", args=[job.pk])

    post(superuser, url, {**masked(KWARGS), "warehouse": "north"})

    job.refresh_from_db()
    assert job.kwargs == {**KWARGS, "warehouse": "north"}
    assert job.environment == ENVIRONMENT


def test_a_new_value_replaces_what_is_stored(superuser: Client, job: Job) -> None:
    post(superuser, reverse("admin:workerd_job_change", args=[job.pk]), {**masked(KWARGS), "api_token": "new"})

    job.refresh_from_db()
    assert job.kwargs == {**KWARGS, "api_token": "new"}


def test_saving_as_a_new_job_copies_the_secrets(superuser: Client, job: Job) -> None:
    post(superuser, reverse("admin:workerd_job_change", args=[job.pk]), masked(KWARGS), name="copy", _saveasnew="1")

    copy = Job.objects.get(name="copy")
    assert (copy.kwargs, copy.environment) == (KWARGS, ENVIRONMENT)


def test_a_mask_without_anything_stored_is_refused(superuser: Client) -> None:
    response = post(superuser, reverse("admin:workerd_job_add"), {"outer": {"password": MASK}}, ENVIRONMENT)

    errors = response.context["adminform"].errors
    assert errors == {
        "kwargs": ["Nothing is stored for “outer.password”: write its value."],
        "environment": ["Nothing is stored for “API_TOKEN”: write its value."],
    }


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

"""A job's words, and those of the project's exceptions, are shown to users who may view output, and to no others."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from workerd.models import Job, Node, Operation, Run, Slot

from .admin_form import JOB_FORM
from .admin_roles import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.backends("any")]

WORDS = "sk-live-0123456789"
OWN = "3 failures within 600 s; the last: ValueError"
BLIND = ("viewer", "operator", "editor")
SIGHTED = ("reader", "superuser")


@pytest.fixture(autouse=True)
def job() -> Job:
    """A job whose every text holds words of its own, with rows of each kind."""
    job = Job.objects.create(
        name="a",
        target="shop.jobs.ship_orders",
        problem=f"“x” does not import: {WORDS}.",
        public_problem="“x” does not import.",
    )
    node = Node.objects.create(name="shop", host="web1", pulse=timezone.now())
    common: dict[str, Any] = {"node": node, "job": job, "job_name": "a", "generation": 1}
    reason, ended = f"{OWN}: {WORDS}", timezone.now()
    for index, outcome in enumerate(("error", "refused", "crashed", "hung")):
        words: dict[str, Any] = {"reason": f"bad: {WORDS}", "exception": f"ValueError: {WORDS}"}
        if outcome == "hung":
            words = {"reason": "no sign of life for 5 s"}
        Run.objects.create(**common, slot="a", index=index, born=ended, ended=ended, outcome=outcome, **words)
    for index, (state, public) in enumerate((("PARKED", OWN), ("BACKOFF", OWN), ("WAITING", ""))):
        names = {"name": f"a:{index}", "index": index}
        Slot.objects.create(**common, **names, state=state, reason=reason, public_reason=public, since=ended)
    for verb in ("restart", "dump", "reload"):
        result = f"a: BACKOFF: {WORDS}\nmore"
        Operation.objects.create(verb=verb, job=job, job_name="a", taken=ended, result=result)
    return job


def every_page(job: Job) -> list[str]:
    """Return the addresses of every list, page and live answer that shows a row of ours."""
    urls = [reverse(f"admin:workerd_job_{name}", args=[job.pk]) for name in ("page", "page_live", "change", "history")]
    urls.append(reverse("admin:workerd_job_live"))
    for model in (Job, Run, Slot, Node, Operation):
        name = model._meta.model_name
        urls.append(reverse(f"admin:workerd_{name}_changelist"))
        urls += [reverse(f"admin:workerd_{name}_change", args=[row.pk]) for row in model._default_manager.all()]
    return urls


@pytest.mark.parametrize("role", BLIND)
def test_no_page_shows_them_without_the_right(role: str, job: Job) -> None:
    client = client_of(role)
    for url in every_page(job):
        response = client.get(url)
        assert response.status_code == 200, url
        assert WORDS not in response.content.decode(), url


@pytest.mark.parametrize("role", SIGHTED)
def test_they_are_shown_with_the_right(role: str, job: Job) -> None:
    client = client_of(role)
    silent = [url for url in every_page(job) if WORDS not in client.get(url).content.decode()]

    assert {url.rstrip("/").rpartition("/")[2] for url in silent} <= {"history", "node", "run", "change"}


@pytest.mark.parametrize("name", ["job_changelist", "job_live", "job_page", "job_page_live", "slot_changelist"])
def test_our_own_words_are_shown_to_everybody(name: str, job: Job) -> None:
    Job.objects.update(problem="", public_problem="")
    Slot.objects.exclude(state="PARKED").delete()
    url = reverse(f"admin:workerd_{name}", args=[job.pk] if "page" in name else [])

    assert "ValueError" in client_of("viewer").get(url).content.decode()


def lookups() -> list[tuple[str, str]]:
    """Return for each of our models every column, and every column of a neighbour, with a way to guess at it."""
    found = []
    for model in (Job, Run, Slot, Node, Operation):
        name = str(model._meta.model_name)
        own = [field.name for field in model._meta.concrete_fields]
        near = [f"job__{field.name}" for field in Job._meta.concrete_fields if "job" in own]
        near += [f"node__{field.name}" for field in Node._meta.concrete_fields if "node" in own]
        near += [f"{other}__{text}" for other, text in (("slots", "reason"), ("operations", "result")) if model is Job]
        for column in (*own, *near):
            found += [(name, f"{column}__{how}") for how in ("startswith", "contains", "regex", "gt", "length")]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("role", ["viewer", "superuser"])
def test_no_list_answers_a_question_that_it_does_not_offer(role: str) -> None:
    client = client_of(role)
    for model, lookup in lookups():
        model_admin: Any = next(found for cls, found in admin.site._registry.items() if cls._meta.model_name == model)
        offered = {name for name in model_admin.list_filter if isinstance(name, str)}
        column, _, how = lookup.rpartition("__")
        if column in offered and how == "gt":
            continue
        response = client.get(reverse(f"admin:workerd_{model}_changelist"), {lookup: "s"})
        assert response.status_code == 400, f"{model}: {lookup}"


def ids(client: Client, model: str, **query: str) -> list[str]:
    response = client.get(reverse(f"admin:workerd_{model}_changelist"), query)
    assert response.status_code == 200
    return [str(row.pk) for row in response.context["cl"].result_list]


@pytest.mark.parametrize("model", ["job", "run", "slot", "node", "operation"])
def test_no_search_finds_a_row_by_them(model: str) -> None:
    assert ids(client_of("viewer"), model, q="sk-live") == []


@pytest.mark.parametrize("model", ["run", "slot", "operation"])
def test_no_order_of_a_list_goes_by_them(model: str) -> None:
    columns = {"run": "reason", "slot": "reason", "operation": "result"}
    model_admin: Any = next(found for cls, found in admin.site._registry.items() if cls._meta.model_name == model)
    sortable = model_admin.sortable_by if model_admin.sortable_by is not None else model_admin.list_display
    ordered = {getattr(getattr(model_admin, name, None), "admin_order_field", None) or name for name in sortable}

    assert ordered.isdisjoint({columns[model], "exception", "traceback", "stack", "last_lines", "problem"})


def raise_words() -> None:
    raise ImportError(WORDS)


def save(client: Client, job: Job) -> str:
    form = {**JOB_FORM, "name": "b", "target": "shop.jobs.ship_orders"}
    return client.post(reverse("admin:workerd_job_add"), form).content.decode()


def switch(client: Client, job: Job) -> str:
    url = reverse("admin:workerd_job_switch", args=[job.pk])
    return client.post(url, {"enabled": "1"}, follow=True).content.decode()


@pytest.mark.parametrize("edit", [save, switch])
@pytest.mark.parametrize("may_view_output", [False, True])
def test_an_editor_reads_what_the_import_raised_with_the_right_alone(
    edit: Callable[[Client, Job], str], may_view_output: bool, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    Slot.objects.all().delete()
    Job.objects.update(problem="", enabled=False)
    client = client_of("editor")
    if may_view_output:
        Permission.objects.get(codename="view_output").user_set.add(client.session["_auth_user_id"])
    monkeypatch.setattr("workerd.targets.autodiscover", raise_words)

    page = edit(client, job)

    assert "does not import: ImportError" in page
    assert (WORDS in page) == may_view_output

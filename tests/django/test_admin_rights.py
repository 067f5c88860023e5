"""Rights: every role at every address of ours, reading and posting; what one may not do is not shown either."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, reverse
from django.utils import timezone

from workerd.models import Job, Node, Operation, Run, Slot

from .admin_form import JOB_FORM
from .admin_roles import EVERYBODY, MODELS, ROLES, client_of

pytestmark = [pytest.mark.django_db, pytest.mark.backends("any")]  # who may do what is decided before any query

STAFF = {*ROLES, "superuser"}
VIEWERS = STAFF - {"staff"}
OPERATORS = {"operator", "superuser"}
EDITORS = {"editor", "superuser"}
NOBODY: set[str] = set()

MAY: dict[str, tuple[set[str], set[str]]] = {
    "app_list": (VIEWERS, VIEWERS),  # Django's, which reads by POST too, and is not there for one who may see nothing
    "job_changelist": (VIEWERS, OPERATORS),  # what is posted is an order
    "job_add": (EDITORS, EDITORS),
    "job_change": (VIEWERS, EDITORS),
    "job_delete": (EDITORS, EDITORS),
    "job_history": (VIEWERS, VIEWERS),  # Django's, which reads by POST too
    "job_live": (VIEWERS, NOBODY),
    "job_board": (VIEWERS, NOBODY),
    "job_board_live": (VIEWERS, NOBODY),
    "job_schedule": (VIEWERS, NOBODY),
    "job_page": (VIEWERS, NOBODY),
    "job_page_live": (VIEWERS, NOBODY),
    "job_orders": (NOBODY, OPERATORS),
    "job_reload": (NOBODY, OPERATORS),
    "job_switch": (NOBODY, EDITORS),
    "node_orders": (NOBODY, OPERATORS),
    "node_fleet": (NOBODY, OPERATORS),
    **{f"{model}_changelist": (VIEWERS, VIEWERS) for model in MODELS[1:]},  # no action: a POST only lists
    **{f"{model}_add": (NOBODY, NOBODY) for model in MODELS[1:]},
    **{f"{model}_change": (VIEWERS, NOBODY) for model in MODELS[1:]},
    **{f"{model}_delete": (NOBODY, NOBODY) for model in MODELS[1:]},
    **{f"{model}_history": (VIEWERS, VIEWERS) for model in MODELS[1:]},
    **{f"{model}_redirect": (STAFF, STAFF) for model in MODELS},  # Django's old addresses, which only lead on
}
"""Of each address who may GET and who may POST."""


@pytest.fixture
def rows() -> dict[str, Any]:
    job = Job.objects.create(name="a", target="shop.jobs.ship_orders", kwargs={"warehouse": "main"})
    node = Node.objects.create(name="shop", host="web1", pulse=timezone.now())
    run = Run.objects.create(
        job=job,
        job_name="a",
        node=node,
        slot="a",
        born=timezone.now(),
        ended=timezone.now(),
        outcome="error",
        exception="ValueError: the message",
        traceback="the traceback",
        stack="the stack",
        last_lines="the lines",
    )
    return {
        "job": job,
        "node": node,
        "run": run,
        "slot": Slot.objects.create(node=node, job=job, job_name="a", name="a", state="RUNNING", run=run.pk),
        "operation": Operation.objects.create(verb="dump", job=job, job_name="a", requested_by="ada"),
    }


def addresses(rows: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and the path of every address that the admin's URLconf has for us."""
    for entry in admin.site.urls[0]:
        app, _slash, word = str(entry.pattern).strip("/").partition("/")
        if isinstance(entry, URLPattern) and entry.name == "app_list":
            yield "app_list", reverse("admin:app_list", args=["workerd"])
        elif app == "workerd" and isinstance(entry, URLResolver):
            for pattern in entry.url_patterns:
                name = getattr(pattern, "name", None) or f"workerd_{word}_redirect"
                yield name.removeprefix("workerd_"), _path(name, rows[word])


def _path(name: str, row: Any) -> str:
    if name.endswith("_redirect"):
        return reverse(name.replace("_redirect", "_changelist").join(("admin:", ""))) + f"{row.pk}/"
    try:
        return reverse(f"admin:{name}")
    except NoReverseMatch:
        return reverse(f"admin:{name}", args=[row.pk])


def posted(name: str, rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "job_changelist": {"action": "restart", "_selected_action": [rows["job"].pk]},
        "job_add": {**JOB_FORM, "name": "b"},
        "job_change": {**JOB_FORM, "name": "a", "notes": "edited"},
        "job_delete": {"post": "yes"},
        "job_orders": {"order": "restart"},
        "job_reload": {"order": f"reload_back {rows['node'].pk}"},
        "job_switch": {"enabled": "0"},
        "node_orders": {"order": "drain"},
        "node_fleet": {"order": "reload_fleet"},
    }.get(name, {"post": "yes"})


def let_in(response: HttpResponseBase) -> bool:
    """Return whether the answer is what was asked for, and fail for one that is neither that nor a refusal."""
    if response.status_code == 302:
        return "/login/" not in response["Location"]
    assert response.status_code in (200, 403, 404, 405), response.status_code
    return response.status_code == 200


def snapshot() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Job, Run, Slot, Node, Operation)]


@pytest.mark.parametrize("role", EVERYBODY)
def test_every_role_gets_what_is_stated_at_every_address(role: str, rows: dict[str, Any]) -> None:
    client = client_of(role)
    for name, path in addresses(rows):
        assert name in MAY, f"no expectation is stated for {name}"
        may_get, _ = MAY[name]
        assert let_in(client.get(path)) == (role in may_get), f"GET {path}"


@pytest.mark.parametrize("role", EVERYBODY)
def test_every_role_posts_what_is_stated_and_a_refused_post_changes_nothing(role: str, rows: dict[str, Any]) -> None:
    client = client_of(role)
    for name, path in sorted(addresses(rows), key=lambda address: address[0] == "job_delete"):
        _, may_post = MAY[name]
        before = snapshot()
        was_let_in = let_in(client.post(path, posted(name, rows)))
        assert was_let_in == (role in may_post), f"POST {path}"
        if not was_let_in:
            assert snapshot() == before, f"POST {path}"


def test_every_expectation_has_its_address(rows: dict[str, Any]) -> None:
    assert {name for name, _path in addresses(rows)} == set(MAY)


def page(client: Client, name: str, row: Any = None) -> str:
    return client.get(reverse(f"admin:workerd_{name}", args=[row.pk] if row else [])).content.decode()


@pytest.mark.parametrize("role", sorted(VIEWERS))
def test_what_one_may_not_do_is_not_shown(role: str, rows: dict[str, Any]) -> None:
    client = client_of(role)
    jobs, job, run, node = (
        page(client, "job_changelist"),
        page(client, "job_page", rows["job"]),
        page(client, "run_change", rows["run"]),
        page(client, "node_change", rows["node"]),
    )

    assert ('value="restart"' in jobs) == (role in OPERATORS)
    assert ('name="order"' in job) == (role in OPERATORS)
    assert ('value="drain"' in node) == (role in OPERATORS)
    assert ('role="switch"' in jobs) == (role in EDITORS)
    assert ("/job/add/" in jobs) == (role in EDITORS)
    for output in ("the message", "the traceback", "the stack", "the lines"):
        assert (output in run) == (role in {"reader", "superuser"})
    assert ("the message" in job) == (role in {"reader", "superuser"})
    assert "ValueError" in job
    assert "ValueError" in run


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        ("run", "traceback__contains=the"),
        ("run", "last_lines__startswith=t"),
        ("run", "exception__contains=mess"),
        ("job", "kwargs__warehouse__startswith=m"),
        ("run", "job__kwargs__warehouse=m"),
    ],
)
def test_output_and_arguments_cannot_be_guessed_by_filtering(model: str, lookup: str, rows: dict[str, Any]) -> None:
    url = reverse(f"admin:workerd_{model}_changelist")

    for role in ("viewer", "reader", "superuser"):
        assert client_of(role).get(f"{url}?{lookup}").status_code == 400


def test_what_a_dump_came_to_is_output(rows: dict[str, Any]) -> None:
    Operation.objects.update(taken=timezone.now(), result="a: Thread 0x7f\n  File")
    for role in ("operator", "superuser"):
        client = client_of(role)
        pages = [page(client, "operation_changelist"), page(client, "operation_change", rows["operation"])]
        pages += [page(client, "job_changelist"), page(client, "job_page", rows["job"])]
        assert ["Thread 0x7f" in shown for shown in pages] == [role == "superuser"] * 4
    url = reverse("admin:workerd_operation_changelist")
    assert client_of("viewer").get(f"{url}?result__contains=the").status_code == 400


def test_one_without_rights_to_the_history_sees_a_job_without_it(rows: dict[str, Any]) -> None:
    client = client_of("staff")
    from django.contrib.auth.models import Permission, User

    User.objects.get(username="staff").user_permissions.set(Permission.objects.filter(codename="view_job"))

    shown = page(client, "job_page", rows["job"])

    assert "The last 24 hours" not in shown
    assert "ValueError" not in shown
    assert "running" in shown

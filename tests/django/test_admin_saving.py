"""What the form offers, and what it says that saving will do."""

import json
import re
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.management import get_commands
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shop.management.commands import expire_carts
from workerd.admin.jobs.preview import preview_save
from workerd.admin.jobs.target_widget import OTHER
from workerd.models import Job, Node, Run, Slot
from workerd.wire.spec import JobSpec

from .admin_form import JOB_FORM
from .admin_roles import client_of

REFUSED_BY_THE_DATABASE = {
    ("postgresql", "half-a-character"),
    ("mysql", "half-a-character"),
    ("mysql", "deep"),
    ("mysql", "digits"),  # MySQL's alone: MariaDB keeps the text
}
NOW = 1_800_000_000.0
WAS = JobSpec(name="a", target="shop.jobs.ship_orders", processes=2)
NUMBERED = JobSpec(name="a", command="shard --of {processes}", processes=2)


def slots(*states: str) -> list[Slot]:
    return [Slot(state=state) for state in states]


@pytest.mark.parametrize(
    ("was", "changes", "states", "sentence"),
    [
        (None, {}, (), "2 processes will be started."),
        (None, {"enabled": False}, (), "The job is off: none of its processes runs."),
        (WAS, {}, ("RUNNING", "RUNNING"), "Nothing changes for running processes."),
        (WAS, {"target": "b.c"}, ("RUNNING", "STARTING"), "2 running processes will be restarted."),
        (WAS, {"kwargs": {"a": 1}}, ("RUNNING", "BACKOFF"), "1 running process will be restarted."),
        (WAS, {"name": "b"}, ("RUNNING",), "1 running process will be restarted."),
        (WAS, {"environment": {"A": "b"}}, ("RUNNING",), "1 running process will be restarted."),
        (WAS, {"starts_after": ["b"]}, ("RUNNING",), "Running processes take the change over; none is restarted."),
        (NUMBERED, {"processes": 3}, ("RUNNING",), "1 running process will be restarted. 1 process will be started."),
        (WAS, {"takeover_after": 60.0}, ("RUNNING",), "Running processes take the change over; none is restarted."),
        (WAS, {"labels": "team=a"}, ("RUNNING", "PARKED"), "Nothing changes for running processes."),
        (
            WAS,
            {"where": "zone=a"},
            ("RUNNING",),
            "Running processes take the change over; none is restarted. Nodes whose labels do not fit stop it.",
        ),
        (
            WAS,
            {"scope": "fleet"},
            ("RUNNING", "RUNNING"),
            (
                "From now on 2 processes run in all nodes together: each node stops its own, and those that get a seat "
                "start one for each."
            ),
        ),
        (WAS._replace(scope="fleet"), {"scope": "each_node"}, (), "From now on each node runs 2 processes."),
        (WAS, {"max_age": 5}, ("RUNNING",), "Running processes take the change over; none is restarted."),
        (WAS, {"processes": 5}, ("RUNNING",), "3 processes will be started."),
        (WAS, {"processes": 1}, ("RUNNING", "RUNNING"), "1 process will be stopped gracefully."),
        (WAS, {"enabled": False}, ("RUNNING", "RUNNING"), "2 processes will be stopped gracefully."),
        (WAS._replace(enabled=False), {"enabled": True}, ("STOPPED",), "2 processes will be started."),
        (WAS, {"target": "b.c"}, ("PARKED", "PARKED"), "Parked processes are started again."),
    ],
)
def test_saving_says_what_will_happen(
    was: JobSpec | None, changes: dict[str, Any], states: tuple[str, ...], sentence: str
) -> None:
    now = (was or WAS)._replace(**changes)

    assert preview_save(was, now, slots(*states), NOW, is_late=False) == sentence


def test_without_a_daemon_nothing_is_promised() -> None:
    assert preview_save(WAS, WAS, [], NOW, is_late=True).startswith("No daemon reports now")


@pytest.fixture
def superuser(db: None) -> Client:
    return client_of("superuser")


def test_the_form_offers_what_the_project_has_with_what_it_takes(superuser: Client) -> None:
    page = superuser.get(reverse("admin:workerd_job_add")).content.decode()

    assert '<optgroup label="shop.jobs">' in page
    assert "ship_orders: Ship what was ordered; any number of processes may" in page
    assert "warehouse: str = &#x27;main&#x27;, pause: float = 5.0" in page
    assert "crash after about fails_after seconds" in page
    assert "<code>shop.stocktaking.*</code>" in page
    assert "The project allows: runserver, expire_carts." in page


DEEP = "[" * 300 + "]" * 300
UNREADABLE = {
    "digits": '{"pause": %s, "password": "hunter2"}' % ("1" * 5000),
    "half-a-character": '{"pause": "\\ud800"}',
    "deep": f'{{"pause": {DEEP}}}',
}


READABLE = {"kwargs": '{"pause": 1}', "environment": '{"PAUSE": "1"}', "starts_after": '["sound"]'}
SHOWN = {
    "digits": "is not JSON (Exceeds the limit (4300 digits)",
    "half-a-character": "holds a text with a null character or half a surrogate pair",
    "deep": "nests deeper than 30 lists and objects",
}


@pytest.mark.parametrize("field", READABLE)
@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_row_with_json_that_python_cannot_take_spoils_no_page_and_is_put_right_there(
    superuser: Client, kind: str, field: str
) -> None:
    """Another program has written it, by SQL; what a database does not take itself is no case."""
    job = Job.objects.create(name="spoilt", target="shop.jobs.ship_orders")
    Job.objects.create(name="sound", target="shop.jobs.ship_orders")
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE workerd_job SET {field} = %s WHERE id = %s", [UNREADABLE[kind], job.pk])
    except DatabaseError:
        assert (connection.vendor, kind) in REFUSED_BY_THE_DATABASE
        return
    change = reverse("admin:workerd_job_change", args=[job.pk])

    shown = superuser.get(reverse("admin:workerd_job_changelist"))
    assert (shown.status_code, b"spoilt" in shown.content, b"sound" in shown.content) == (200, True, True)
    page = superuser.get(change).content.decode()
    assert f"{field} {SHOWN[kind]}" in page
    assert "hunter2" not in page
    assert superuser.get(reverse("admin:workerd_job_delete", args=[job.pk])).status_code == 200
    kept = superuser.post(change, {**JOB_FORM, "name": "spoilt", field: '"These arguments cannot be read"'})
    assert f"{field} is a text: write " in kept.content.decode()
    with pytest.raises(ValueError, match=f"Set {field} anew"), transaction.atomic():
        Job.objects.get(pk=job.pk).save()

    assert superuser.post(change, {**JOB_FORM, "name": "spoilt", field: READABLE[field]}).status_code == 302
    assert getattr(Job.objects.get(pk=job.pk), field) == json.loads(READABLE[field])


def test_another_function_may_be_typed_where_a_pattern_allows_it(superuser: Client) -> None:
    values = {**JOB_FORM, "target": OTHER, "target_other": "shop.stocktaking.count_stock"}

    assert superuser.post(reverse("admin:workerd_job_add"), values).status_code == 302

    job = Job.objects.get()
    assert job.target == "shop.stocktaking.count_stock"
    page = superuser.get(reverse("admin:workerd_job_change", args=[job.pk])).content.decode()
    assert f'<option value="{OTHER}" selected>' in page
    assert 'value="shop.stocktaking.count_stock" class="vTextField"' in page


def test_without_patterns_nothing_else_may_be_typed(superuser: Client, settings: Any) -> None:
    settings.WORKERD = {**settings.WORKERD, "TARGETS": [], "COMMANDS": []}

    page = superuser.get(reverse("admin:workerd_job_add")).content.decode()

    assert OTHER not in page
    assert "the project allows none" in page


def test_a_saved_job_leads_to_its_page(superuser: Client) -> None:
    response = superuser.post(reverse("admin:workerd_job_add"), JOB_FORM)

    assert response["Location"] == reverse("admin:workerd_job_page", args=[Job.objects.get().pk])


def test_the_form_says_how_long_a_job_was_silent_of_late(superuser: Client) -> None:
    """Beside the limit that has to be longer; what was silent before, and other jobs, do not count."""
    job, other, quiet = (Job.objects.create(name=name, target="shop.jobs.ship_orders") for name in ("a", "b", "c"))
    node, now = Node.objects.create(name="shop", host="web1"), timezone.now()
    for row, silent_s, days in ((job, 12.0, 0.5), (job, 3.0, 0.1), (job, 900.0, 1.1), (other, 95.0, 0.5)):
        ended = now - timedelta(days=days)
        Run.objects.create(job=row, job_name=row.name, slot=row.name, ended=ended, longest_silence=silent_s)
    Run.objects.create(job=job, job_name="a", slot="a", ended=now)
    Slot.objects.create(job=other, job_name="b", name="b", node=node, longest_silence=100.0)

    said = {}
    for row in (job, other, quiet):
        page = superuser.get(reverse("admin:workerd_job_change", args=[row.pk])).content.decode()
        said[row.name] = re.findall(r"The longest silence of its runs of the last day was ([^.]+)\.", page)

    assert said == {"a": ["12 s"], "b": ["1 min 40 s"], "c": []}
    assert "longest silence of its runs" not in superuser.get(reverse("admin:workerd_job_add")).content.decode()


@pytest.mark.django_db
def test_a_likely_mistake_in_the_row_of_an_engines_consumer_is_said_when_it_is_saved(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(get_commands(), "run_huey", "shop")
    monkeypatch.setitem(sys.modules, "shop.management.commands.run_huey", expire_carts)
    settings.WORKERD = {**settings.WORKERD, "COMMANDS": ["run_huey"]}
    client, address = client_of("superuser"), reverse("admin:workerd_job_add")

    def said(**values: str) -> list[str]:
        answer: Any = client.post(address, {**JOB_FORM, "target": "", "command": "run_huey", **values})
        return [str(message) for message in get_messages(answer.wsgi_request)]

    assert not any("huey" in text for text in said(stop_signal="INT"))
    assert any(text.startswith("stop_signal is TERM, at which huey interrupts") for text in said(name="other"))

"""The plain admin: durations as people write them, errors beside their field, history read-only."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from workerd.admin.jobs.fields import DurationField
from workerd.admin.jobs.form import JobForm
from workerd.job_rules import find_faults
from workerd.job_rules.stored_json import JSON_COLUMNS, decode_json
from workerd.models import FleetAlert, Job, Node, Operation, Run, Seat, Slot

from .admin_form import JOB_FORM

TARGET_REMEDY = "write it like shop.jobs.ship_orders, or put a management command into the field command"

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

FORM_ALONE = pytest.mark.backends("any")
"""What a form shows and refuses is decided before any query."""

ADD = "admin:workerd_job_add"
LIST = "admin:workerd_job_changelist"


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("operator"))
    return client


def errors_of(client: Client, url: str = "", **values: Any) -> dict[str, list[str]]:
    """Post the form; return its errors, none if it was saved."""
    response = client.post(url or reverse(ADD), {**JOB_FORM, **values})
    if response.status_code == 302:
        return {}
    assert response.status_code == 200
    return dict(response.context["adminform"].errors)


@FORM_ALONE
def test_the_empty_form_needs_a_name_and_a_target_only(operator: Client) -> None:
    page = operator.get(reverse(ADD))
    form = page.context["adminform"].form
    values = {bound.name: bound.value() for bound in form if bound.value() not in (None, False)}

    assert errors_of(operator, **{**values, "name": "mail-outbox", "target": "shop.jobs.ship_orders"}) == {}
    job = Job.objects.get()
    assert job.to_spec() == Job(pk=job.pk, name=job.name, target=job.target).to_spec()


def test_durations_are_typed_and_shown_as_people_write_them(operator: Client) -> None:
    assert errors_of(operator, max_age="1h 30m", heartbeat_timeout="90s", stop_timeout="7") == {}

    job = Job.objects.get()
    assert (job.max_age, job.heartbeat_timeout, job.stop_timeout) == (5400.0, 90.0, 7.0)

    page = operator.get(reverse("admin:workerd_job_change", args=[job.pk])).content.decode()
    for shown in ("1 h 30 min", "1 min 30 s", "7 s", "500 ms", "10 min"):
        assert f'value="{shown}"' in page


@FORM_ALONE
def test_one_who_may_only_look_sees_durations_as_people_write_them() -> None:
    job = Job.objects.create(name="a", target="shop.jobs.ship_orders", max_age=5400.0)
    looker = get_user_model().objects.create_user("looker", is_staff=True)
    looker.user_permissions.add(*_permissions("view_job"))
    client = Client()
    client.force_login(looker)

    page = client.get(reverse("admin:workerd_job_change", args=[job.pk])).content.decode()

    assert "1 h 30 min" in page
    assert "5400" not in page


@FORM_ALONE
@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "", "name is empty: write letters, digits, - and _ only."),
        ("name", "x" * 200, "name has 200 characters, more than 100: shorten it."),
        ("name", "two words", "name is 'two words': write letters, digits, - and _ only."),
        ("notes", "nul\0", "Null characters are not allowed."),
        ("target", "nul\0", "target holds a null character or half a surrogate pair: remove it."),
        ("target", "shop", f"target is 'shop', not the dotted path of a function: {TARGET_REMEDY}."),
        ("target", "x." * 300, "target has 600 characters, more than 500: shorten it."),
        ("kwargs", "[]", 'kwargs is a list: write an object, such as {"warehouse": "main"}.'),
        ("kwargs", '{"warehouse": NaN}', "kwargs holds nan, which is not JSON: leave it out, or use null."),
        (
            "kwargs",
            '{"warehouse": "\\u0000"}',
            "kwargs holds a text with a null character or half a surrogate pair: remove it.",
        ),
        ("processes", "-1", "processes is -1: set it to a whole number from 0 to 1000."),
        ("processes", "1001", "processes is 1001: set it to a whole number from 0 to 1000."),
        ("processes", "many", "processes is 'many': set it to a whole number from 0 to 1000."),
        ("processes", "", "processes is empty: set it to a whole number from 0 to 1000."),
        ("max_memory", "nan", "max_memory is nan: set it to a number from 1 to 16777216."),
        ("nice", "20", "nice is 20: set it to a whole number from -20 to 19."),
        ("max_age", "soon", "“soon” is not a duration: write it like 90s, 5 min, 1h 30m, 250ms or 1.5 d."),
        ("max_age", "99999 d", "max_age is 99999 d: set it to a duration from 1 ms to 3650 d."),
        ("stop_timeout", "0", "stop_timeout is 0 s: set it to a duration from 1 ms to 3650 d."),
        ("stop_timeout", "", "stop_timeout is empty: set it to a duration from 1 ms to 3650 d."),
        ("stop_signal", "KILL", "stop_signal is 'KILL': choose one of TERM, INT, QUIT, HUP, USR1, USR2."),
    ],
)
def test_an_error_stands_beside_its_field(operator: Client, field: str, value: str, sentence: str) -> None:
    errors = errors_of(operator, **{field: value})

    assert errors == {field: [sentence]}
    assert not Job.objects.exists()


@FORM_ALONE
@pytest.mark.parametrize(
    "text", ["{", "{'a': 1}", "[" * 100_000, f'{{"a": {"9" * 5000}}}'], ids=["open", "single-quotes", "deep", "number"]
)
@pytest.mark.parametrize("field", JSON_COLUMNS)
def test_what_is_no_json_is_refused_by_the_rules(operator: Client, field: str, text: str) -> None:
    [fault] = find_faults({field: decode_json(field, text)})

    assert errors_of(operator, **{field: text}) == {field: [fault.sentence]}


@pytest.mark.parametrize("text", ["", "null"])
def test_an_emptied_box_of_json_holds_nothing(operator: Client, text: str) -> None:
    assert errors_of(operator, **dict.fromkeys(JSON_COLUMNS, text)) == {}
    job = Job.objects.get()
    assert (job.kwargs, job.environment, job.starts_after) == ({}, {}, [])


@FORM_ALONE
@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        (
            {"backoff_initial": "2 min"},
            "backoff_max",
            "backoff_max, the longest delay, is 1 min, shorter than backoff_initial, the first, 2 min: raise it.",
        ),
        (
            {"start_grace": "1 min"},
            "start_timeout",
            (
                "start_timeout is 30 s, not longer than start_grace, 1 min, "
                "so the process would never count as running: raise it."
            ),
        ),
    ],
)
def test_what_two_fields_contradict_is_said_beside_the_one_to_change(
    operator: Client, values: dict[str, str], field: str, sentence: str
) -> None:
    assert errors_of(operator, **values) == {field: [sentence]}


@FORM_ALONE
@pytest.mark.parametrize(
    ("values", "field", "begins"),
    [
        ({"target": "os.system"}, "target", "“os.system” is not a job that the project allows."),
        ({"target": "shop.jobs.subprocess.run"}, "target", "“shop.jobs.subprocess.run” is not a job"),
        ({"target": "shop.jobs.no_such_job"}, "target", "“shop.jobs.no_such_job” is not a job"),
        ({"target": "shop.stocktaking.no_such"}, "target", "“shop.stocktaking.no_such” does not exist"),
        ({"kwargs": '{"wharehouse": "main"}'}, "kwargs", ""),
        ({"target": "", "command": "shell -c 1"}, "command", "“shell” is not a management command that the project"),
        ({"target": "", "command": "expire_carts --settings=x"}, "command", "“expire_carts” may not be given"),
        (
            {"target": "", "command": "expire_carts 'x"},
            "command",
            'command is "expire_carts \'x", which is no command line',
        ),
        (
            {"target": "", "command": "expire_carts", "kwargs": '{"a": 1}'},
            "kwargs",
            "kwargs holds “a”, which no command takes",
        ),
        ({"command": "expire_carts"}, "target", "Both target and command are set: clear one of them."),
    ],
)
def test_what_the_project_does_not_allow_is_refused_beside_its_field(
    operator: Client, values: dict[str, str], field: str, begins: str
) -> None:
    errors = errors_of(operator, **values)

    assert field in errors
    assert errors[field][0].startswith(begins)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"target": "shop.jobs.ship_orders", "kwargs": '{"warehouse": "main"}'},
        {"target": "shop.jobs.ship_orders", "kwargs": ""},
        {"target": " shop.stocktaking.count_stock "},
        {"target": "", "command": "expire_carts"},
        {"kwargs": '{"warehouse": {"$env": "SHOP_NOT_SET_HERE"}}'},
    ],
)
def test_what_the_project_allows_is_saved(operator: Client, settings: Any, values: dict[str, str]) -> None:
    settings.WORKERD = {**settings.WORKERD, "ENV": ["SHOP_*"]}
    assert errors_of(operator, **values) == {}


def test_a_job_whose_target_broke_can_be_switched_off_and_annotated_but_not_on(operator: Client) -> None:
    job = Job.objects.create(name="mail-outbox", target="shop.jobs.was_renamed")
    url = reverse("admin:workerd_job_change", args=[job.pk])
    same = {"target": "shop.jobs.was_renamed"}

    assert errors_of(operator, url, **same, enabled="", notes="broken since Tuesday") == {}
    assert list(errors_of(operator, url, **same)) == ["target"]
    job.refresh_from_db()
    assert (job.enabled, job.notes) == (False, "broken since Tuesday")


def test_a_repeated_name_is_refused_beside_it(operator: Client) -> None:
    Job.objects.create(name="mail-outbox", target="shop.jobs.ship_orders")

    assert errors_of(operator) == {"name": ["Job with this Name already exists."]}


def make_job(name: str, *starts_after: str, **fields: Any) -> str:
    """Return the address of a new job's form."""
    job = Job.objects.create(name=name, target="shop.jobs.ship_orders", starts_after=list(starts_after), **fields)
    return reverse("admin:workerd_job_change", args=[job.pk])


def test_a_circle_is_refused_beside_the_names_with_the_way_that_it_takes(operator: Client) -> None:
    make_job("a", "b")
    url = make_job("b")

    sentence = "starts_after makes a circle, b → a → b, in which each job would wait for the next: remove one name."

    assert errors_of(operator, url, name="b", starts_after='["a"]') == {"starts_after": [sentence]}


def test_a_name_of_no_job_is_refused_where_it_is_written_and_kept_where_it_is_stored(operator: Client) -> None:
    url = make_job("web", "gone")

    assert errors_of(operator, url, name="web", starts_after='["gone"]', notes="its bridge went") == {}
    scheduled = {"schedule": "@daily", "restart": "never"}
    assert errors_of(operator, url, name="web", starts_after='["gone"]', **scheduled) == {}
    [sentence] = errors_of(operator, url, name="web", starts_after='["webb"]')["starts_after"]
    assert sentence.startswith("starts_after names “webb”, and there is no such job. Did you mean “web”?")


def test_the_name_that_a_job_had_before_is_the_name_of_none(operator: Client) -> None:
    url = make_job("before")

    assert list(errors_of(operator, url, name="after", starts_after='["before"]')) == ["starts_after"]


def test_a_schedule_is_refused_for_a_job_that_others_start_after(operator: Client) -> None:
    url = make_job("bridge")
    make_job("web", "bridge")
    schedule = {"schedule": "@daily", "restart": "never"}

    [sentence] = errors_of(operator, url, name="bridge", **schedule)["schedule"]

    assert sentence.startswith("“web” would start after this job, which with a schedule does not always run: clear")
    assert errors_of(operator, name="other", **schedule, starts_after='["web"]') == {}


@pytest.mark.parametrize("names", ["[1]", '["b b"]', '["mail-outbox"]', '{"a": 1}'])
def test_names_that_are_wrong_by_themselves_have_one_sentence(operator: Client, names: str) -> None:
    assert [len(told) for told in errors_of(operator, starts_after=names).values()] == [1]


def test_the_list_is_searched_and_filtered(operator: Client) -> None:
    Job.objects.create(name="ship", target="shop.jobs.ship_orders", enabled=False)
    Job.objects.create(name="carts", command="expire_carts --days 3", problem="No such command.")

    def names(query: str) -> list[str]:
        return [job.name for job in operator.get(f"{reverse(LIST)}?{query}").context["cl"].queryset]

    assert names("") == ["carts", "ship"]
    assert (names("q=expire_c"), names("q=--days")) == (["carts"], [])  # arguments may be secrets
    assert names("enabled__exact=0") == ["ship"]
    page = operator.get(reverse(LIST)).content.decode()
    assert "expire_carts --days 3" in page
    assert "No such command." in page


def test_the_problem_is_shown_and_cannot_be_posted(operator: Client) -> None:
    job = Job.objects.create(name="mail-outbox", target="shop.jobs.ship_orders", problem="It does not import.")
    url = reverse("admin:workerd_job_change", args=[job.pk])

    assert "It does not import." in operator.get(url).content.decode()
    assert errors_of(operator, url, problem="forged") == {}
    job.refresh_from_db()
    assert job.problem == "It does not import."


@pytest.fixture
def history() -> list[Run | Slot | Node | Operation]:
    node = Node.objects.create(name="shop", host="web1")
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return [
        node,
        Slot.objects.create(node=node, job_id=987654, job_name="gone", name="gone:0", state="PARKED", reason="no use"),
        Run.objects.create(
            job_id=987654,
            job_name="gone",
            node_id=987654,
            node_name="shop@web1",
            slot="gone:0",
            born=now,
            outcome="error",
            exception="ValueError: <b>nothing</b>",
            traceback="Traceback:\n  line <1>",
        ),
        Operation.objects.create(verb="restart", job_id=987654, job_name="gone", node_id=987654, requested_by="ada"),
    ]


def test_history_is_read_though_its_job_and_node_are_gone(
    operator: Client, history: list[Run | Slot | Node | Operation]
) -> None:
    for row in history:
        model = row._meta.model_name
        assert operator.get(reverse(f"admin:workerd_{model}_changelist")).status_code == 200
        assert operator.get(reverse(f"admin:workerd_{model}_change", args=[row.pk])).status_code == 200


def test_history_is_not_written(operator: Client, history: list[Run | Slot | Node | Operation]) -> None:
    for row in history:
        model = row._meta.model_name
        change = reverse(f"admin:workerd_{model}_change", args=[row.pk])
        assert operator.get(reverse(f"admin:workerd_{model}_add")).status_code == 403
        assert operator.post(change, {}).status_code == 403
        assert (
            operator.post(reverse(f"admin:workerd_{model}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        )
        row.refresh_from_db()  # raises DoesNotExist for a row that was deleted


def test_a_traceback_is_shown_line_by_line_and_escaped(operator: Client, history: list[Any]) -> None:
    page = operator.get(reverse("admin:workerd_run_change", args=[history[2].pk])).content.decode()

    assert "Traceback:\n  line &lt;1&gt;</pre>" in page
    assert "<b>nothing</b>" not in page


def test_runs_are_found_by_job_or_slot(operator: Client, history: list[Any]) -> None:
    url = reverse("admin:workerd_run_changelist")

    for query, count in (("gone", 1), ("gone:0", 1), ("gon", 0)):
        assert operator.get(f"{url}?q={query}").context["cl"].result_count == count


def test_deleting_a_job_keeps_its_history(operator: Client) -> None:
    job = Job.objects.create(name="mail-outbox", target="shop.jobs.ship_orders")
    Run.objects.create(job=job, job_name=job.name, slot=job.name)

    operator.post(reverse("admin:workerd_job_delete", args=[job.pk]), {"post": "yes"})

    assert (Job.objects.count(), Run.objects.count()) == (0, 1)


@FORM_ALONE
def test_every_model_is_in_the_admin() -> None:
    """But for seats, on the pages of jobs and nodes, and claims of alerts: the board shows what they are about."""
    models = set(apps.get_app_config("workerd").get_models()) - {Seat, FleetAlert}

    assert all(admin.site.is_registered(model) for model in models)


@FORM_ALONE
def test_every_field_of_a_job_is_in_the_form(operator: Client) -> None:
    shown = set(operator.get(reverse(ADD)).context["adminform"].form.fields)

    assert shown == {field.name for field in Job._meta.fields if field.editable} - {"id"}


@FORM_ALONE
def test_another_spelling_of_the_same_duration_is_no_change() -> None:
    field = DurationField(required=False)

    assert not field.has_changed(90.0, "1m 30s")
    assert not field.has_changed(None, "")
    assert field.has_changed(90.0, "91s")
    assert field.has_changed(90.0, "soon")


@FORM_ALONE
def test_what_was_typed_wrong_is_shown_again_as_it_was_typed() -> None:
    form = JobForm({**JOB_FORM, "max_age": "soonish"})

    assert not form.is_valid()
    assert 'value="soonish"' in str(form["max_age"])


def _permissions(*codenames: str) -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(codename__in=codenames)

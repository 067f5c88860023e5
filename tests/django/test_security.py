"""The page ``docs/security.md``, row by row: the test of a row has the row's name."""

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from tests.harness.fakes import FakeClock, loop_of
from workerd.admin.jobs.masking import masked
from workerd.admin.jobs.target_widget import parameters_of
from workerd.child.rendering import LineRenderer
from workerd.child.secrets import Secrets
from workerd.command_secrets import MASK
from workerd.conf import find_problems, get_settings
from workerd.daemon.io.control import ControlSocket
from workerd.ledger.rows import COLUMNS, judge_row
from workerd.models import Job, Node, Operation, Run, Slot
from workerd.observer import answers
from workerd.registry import RegisteredJob, registered
from workerd.registry import job as mark
from workerd.targets import RowError, check_allowed, find_row_problems, resolve
from workerd.wire.console import format_event
from workerd.wire.private_folder import why_not_private
from workerd.wire.reasons import Reason, public_part, say
from workerd.wire.spec import JobSpec

from .admin_form import JOB_FORM
from .admin_roles import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.backends("any")]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
SECRET = "sk-live-0123456789"
URL = f"postgres://shop:{SECRET}@db"
WORDS = "Kunde 4711 unbekannt"
TARGET = "shop.jobs.ship_orders"


def rows_of_the_page() -> list[str]:
    return re.findall(r"^\| \*\*(.+?)\*\*", PAGE.read_text(), re.MULTILINE)


def name_of(row: str) -> str:
    return "test_" + re.sub(r"\W+", "_", row.lower()).strip("_")


def test_every_row_has_its_test_and_every_test_its_row() -> None:
    tests = {name for name in globals() if name.startswith("test_")}

    assert tests == {name_of(row) for row in rows_of_the_page()} | {
        "test_every_row_has_its_test_and_every_test_its_row"
    }


@pytest.fixture
def a_job() -> Job:
    """A job that failed, with a secret among its arguments, and an order that was carried out."""
    job = Job.objects.create(name="a", target=TARGET, kwargs={"warehouse": "main", "api_key": SECRET})
    node = Node.objects.create(name="shop", host="web1", pulse=timezone.now())
    common: dict[str, Any] = {"node": node, "job": job, "job_name": "a"}
    reason = f"ValueError: {WORDS}"
    now = timezone.now()
    Slot.objects.create(**common, name="a", state="BACKOFF", reason=reason, public_reason="ValueError", since=now)
    Run.objects.create(**common, slot="a", born=now, ended=now, outcome="error", exception=reason, last_lines=WORDS)
    Operation.objects.create(verb="dump", job=job, job_name="a", taken=now, result=f"a: {WORDS}")
    return job


def pages(client: Client, job: Job) -> dict[str, str]:
    """Return what a user reads of the job, by the name of the page."""
    names: dict[str, list[Any]] = {f"job_{name}": [job.pk] for name in ("page", "page_live", "change")}
    names |= {f"{model}_changelist": [] for model in ("job", "slot", "run", "operation")} | {"job_live": []}
    names |= {"run_change": [Run.objects.get().pk], "operation_change": [Operation.objects.get(requested_by="").pk]}
    found = {name: client.get(reverse(f"admin:workerd_{name}", args=args)) for name, args in names.items()}
    return {name: page.content.decode() for name, page in found.items() if page.status_code == 200}


def test_is_staff_alone(a_job: Job) -> None:
    assert pages(client_of("staff"), a_job) == {}


def test_may_view(a_job: Job) -> None:
    client = client_of("viewer")
    read = pages(client, a_job)

    assert len(read) == 10
    assert "ValueError" in read["job_live"]
    assert not any(hidden in text for hidden in (SECRET, WORDS) for text in read.values())
    guess = client.get(reverse("admin:workerd_run_changelist"), {"exception__startswith": "V"})
    assert guess.status_code == 400


def test_may_view_output(a_job: Job) -> None:
    read = pages(client_of("reader"), a_job)

    assert all(WORDS in read[name] for name in ("job_live", "job_page", "run_change", "operation_change"))
    assert not any(SECRET in text for text in read.values())


def test_may_operate(a_job: Job) -> None:
    client = client_of("operator")

    for verb in ("start", "stop", "restart", "resume", "dump"):
        client.post(reverse("admin:workerd_job_orders", args=[a_job.pk]), {"order": verb})
    client.post(reverse("admin:workerd_node_orders", args=[Node.objects.get().pk]), {"order": "drain"})
    assert Operation.objects.filter(requested_by="operator").count() == 6
    assert client.post(reverse("admin:workerd_job_change", args=[a_job.pk]), JOB_FORM).status_code == 403
    assert client.post(reverse("admin:workerd_job_switch", args=[a_job.pk]), {"enabled": "0"}).status_code == 403
    assert not any(WORDS in text for text in pages(client, a_job).values())


def test_may_change(a_job: Job) -> None:
    client = client_of("editor")
    url = reverse("admin:workerd_job_change", args=[a_job.pk])
    for values in (
        {"target": "os.system"},
        {"target": "", "command": "flush --no-input", "kwargs": "{}"},
        {"kwargs": '{"warehouse": {"$env": "PATH"}}'},
        {"environment": '{"A": {"$env": "PATH"}}'},
        *({"environment": json.dumps({name: "x"})} for name in ("LD_PRELOAD", "PATH", "PYTHONPATH", "PGHOSTADDR")),
    ):
        response = client.post(url, {**JOB_FORM, "name": "a", "target": TARGET, **values})
        assert response.context["adminform"].errors
    a_job.refresh_from_db()
    assert (a_job.target, a_job.command, a_job.kwargs["api_key"]) == (TARGET, "", SECRET)
    assert not any(SECRET in text for text in pages(client, a_job).values())


def test_may_write_rows_by_sql() -> None:
    for values in (
        {"target": "os.system"},
        {"command": "flush"},
        {"target": TARGET, "kwargs": {"a": {"$env": "PATH"}}},
        {"target": TARGET, "environment": {"A": {"$env": "PATH"}}},
        {"target": TARGET, "environment": {"LD_PRELOAD": "x"}},
    ):
        spec = JobSpec(name="a", **values)
        with pytest.raises(RowError):
            resolve(spec)
    texts = {"kwargs": "{}", "environment": "{}", "starts_after": "[]"}
    row = tuple({**spec._asdict(), "target": "os.system", **texts}[name] for name in COLUMNS)
    assert "not a job that the project allows" in judge_row(row, check_allowed).problem


def test_may_read_rows_by_sql(a_job: Job, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    settings.WORKERD = {**settings.WORKERD, "ENV": ["SHOP_TOKEN"]}
    kwargs = {"warehouse": {"$env": "SHOP_TOKEN"}}
    Job.objects.create(name="b", target=TARGET, kwargs=kwargs)

    assert find_row_problems(JobSpec("b", target=TARGET, kwargs=kwargs)) == {}
    assert SECRET in str(Job.objects.filter(name="a").values())
    assert SECRET not in str(Job.objects.filter(name="b").values())


def test_is_another_user_of_the_machine(tmp_path: Path) -> None:
    control = ControlSocket(loop_of(FakeClock()), tmp_path, "shop", lambda _connection, _request: None)
    control.open()
    mode = (tmp_path / "shop.sock").stat().st_mode & 0o777
    control.close()
    assert mode == 0o600
    assert set(control._users) == {0, os.geteuid()}
    tmp_path.chmod(0o777)
    assert "others may write to it" in why_not_private(tmp_path)
    assert "every user may put another in its place" in why_not_private(tmp_path / "state")
    assert public_part(say("a is parked: ", Reason(f"ValueError: {WORDS}", "ValueError"))) == "a is parked: ValueError"


def test_asks_at_http_bind() -> None:
    daemon = {"ready": False, "stopping": f"a is parked: {WORDS}", "significant_parked": ["a"]}
    daemon |= {"forkserver_trouble": WORDS, "public_forkserver_trouble": public_part(Reason(WORDS, "ValueError"))}
    slots = [{"job_name": "a", "reason": WORDS, "note": WORDS}]

    for path in ("/livez", "/readyz"):
        answer = answers.PATHS[path](lambda _verb: {"daemon": daemon, "slots": slots})
        assert WORDS not in answer.body.decode()


def test_has_a_shell_of_the_daemon_s_user_or_of_root(tmp_path: Path) -> None:
    control = ControlSocket(loop_of(FakeClock()), tmp_path, "shop", lambda _connection, _request: None)

    assert {0, os.geteuid()} <= set(control._users)
    assert why_not_private(tmp_path) == ""


def test_writes_the_project_s_code() -> None:
    text = "\x1b]0;owned\x07\nforged"
    shown = format_event(structlog.dev.ConsoleRenderer(colors=False), {"event": text, "slot": text, text: text})
    line = json.loads(LineRenderer({"job": "a", "slot": "a"}, 10_000).render({"event": "x", "job": "b", "slot": "b"}))

    assert "\x1b" not in shown
    assert "\n" not in shown
    assert (line["job"], line["slot"]) == ("a", "a")


def test_an_argument_whose_name_matches_secret_kwargs(a_job: Job) -> None:
    def pay(context: Any, amount: int = 1, api_key: str = SECRET) -> None: ...

    pay.__qualname__ = "pay"
    before = dict(registered())
    mark(pay)
    [found] = [known for name, known in registered().items() if name not in before]
    assert isinstance(found, RegisteredJob)
    assert parameters_of(found) == f"amount: int = 1, api_key: str = {MASK}"
    assert masked(a_job.kwargs) == {"warehouse": "main", "api_key": MASK}
    Job.objects.create(name="b", command=f"identify --api-key {SECRET}")
    for role in ("viewer", "editor", "superuser"):
        read = pages(client_of(role), a_job)
        assert f"identify --api-key {MASK}" in read["job_changelist"]
        assert not any(SECRET in text for text in read.values())


def test_a_url_with_a_password(a_job: Job) -> None:
    def copy_rows(context: Any, database: str = URL) -> None: ...

    copy_rows.__qualname__ = "copy_rows"
    before = dict(registered())
    mark(copy_rows)
    [found] = [known for name, known in registered().items() if name not in before]
    assert isinstance(found, RegisteredJob)
    assert parameters_of(found) == f"database: str = {MASK}"
    Job.objects.filter(pk=a_job.pk).update(kwargs={"database": URL}, environment={"BROKER": URL})
    Job.objects.create(name="b", command=f"identify {URL}")
    for role in ("viewer", "editor", "superuser"):
        read = pages(client_of(role), a_job)
        assert f"identify postgres://shop:{MASK}@db" in read["job_changelist"]
        assert not any(SECRET in text for text in read.values())


def test_a_variable_of_a_row_whose_name_matches_secret_kwargs(a_job: Job) -> None:
    Job.objects.filter(pk=a_job.pk).update(kwargs={}, environment={"QUEUE": "mail", "API_KEY": SECRET})

    for role in ("viewer", "editor", "superuser"):
        read = pages(client_of(role), a_job)
        assert all(MASK in read[name] for name in ("job_page", "job_change"))
        assert not any(SECRET in text for text in read.values())


def test_a_value_that_a_row_takes_by_env_name() -> None:
    secrets = Secrets()
    secrets.take([SECRET])

    assert secrets.mask(f"could not convert string to float: '{SECRET}'") == (
        f"could not convert string to float: '{MASK}'"
    )
    assert masked({"token": {"$env": "SHOP_TOKEN"}}) == {"token": {"$env": "SHOP_TOKEN"}}


def test_webhook_secret_and_routing_key_in_alerts(capfd: pytest.CaptureFixture[str]) -> None:
    entry = {"webhook": f"http://127.0.0.1:1/{SECRET}", "secret": SECRET, "routing_key": SECRET}
    for alerts in ([{**entry, "shape": "pagerduty"}], [{**entry, "shape": "unknown"}], entry):
        with override_settings(WORKERD={"ALERTS": alerts}):
            told = io.StringIO()
            with pytest.raises(SystemExit):
                call_command("workerd", "alert", "--test", stdout=told, stderr=told)
            said = [told.getvalue(), repr(get_settings()), *map(str, find_problems()), *capfd.readouterr()]

        assert "127.0.0.1" in told.getvalue() or "Entry 1 has " in told.getvalue()
        assert SECRET not in "".join(said)


def test_which_variables_the_environment_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IS_THERE", SECRET)
    monkeypatch.delenv("IS_NOT_THERE", raising=False)
    answers = []
    for name in ("IS_THERE", "IS_NOT_THERE"):
        with pytest.raises(RowError) as caught:
            resolve(JobSpec("a", target=TARGET, kwargs={"warehouse": {"$env": name}}))
        answers.append(str(caught.value).replace(name, "NAME"))

    assert answers[0] == answers[1]


def test_an_exception_s_message_output_stacks(a_job: Job) -> None:
    client = client_of("editor")
    before = pages(client, a_job)
    Permission.objects.get(codename="view_output").user_set.add(client.session["_auth_user_id"])

    assert not any(WORDS in text for text in before.values())
    assert sum(WORDS in text for text in pages(client, a_job).values()) >= 6


def test_characters_that_steer_a_terminal() -> None:
    shown = format_event(structlog.dev.ConsoleRenderer(colors=False), {"event": "a\x1b[2J\u202eb\x9b"})

    assert "a\\x1b[2J\\u202eb\\u009b" in shown

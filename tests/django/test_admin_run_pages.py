"""A job's day and a run's end, as the pages tell them."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from workerd.admin import recent_runs
from workerd.models import Job, Node, Run, Slot
from workerd.wire.words import Outcome

from .admin_roles import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]


@pytest.fixture
def superuser() -> Client:
    return client_of("superuser")


@pytest.fixture
def job() -> Job:
    return Job.objects.create(name="mail", target="shop.jobs.ship_orders")


def add_run(job: Job, ago: float, lived: float | None = 60.0, **fields: Any) -> Run:
    """Add a run that was born ``ago`` seconds ago and lived for so long, or still does."""
    born = timezone.now() - timedelta(seconds=ago)
    ended = None if lived is None else born + timedelta(seconds=lived)
    values = {"slot": job.name, "outcome": "" if lived is None else "error", "node_name": "shop@web1", **fields}
    return Run.objects.create(job=job, job_name=job.name, born=born, ended=ended, **values)


def job_page(client: Client, job: Job) -> str:
    return client.get(reverse("admin:workerd_job_page", args=[job.pk])).content.decode()


def run_page(client: Client, run: Run) -> str:
    page = client.get(reverse("admin:workerd_run_change", args=[run.pk])).content.decode()
    return re.sub(r"\s+", " ", page)


@pytest.mark.parametrize(
    ("outcome", "fields", "sentence"),
    [
        ("", {}, "Running for"),
        ("stopped", {}, "Stopped after 1 min, as asked."),
        ("finished", {"exit_code": 0}, "Finished by itself after 1 min, without an error."),
        (
            "finished",
            {"exit_code": 0, "reason": "exit code 0; it left a process"},
            "Finished by itself after 1 min: exit code 0; it left a process.",
        ),
        ("error", {"exception": "ValueError: no"}, "Failed after 1 min: ValueError: no"),
        ("error", {"exit_code": 3}, "Failed after 1 min, with exit code 3."),
        ("crashed", {"signal": "SIGSEGV"}, "Crashed after 1 min: ended by SIGSEGV, which workerd did not send."),
        (
            "hung",
            {"signal": "SIGTERM", "reason": "no sign of life for 30 s", "note": "order 118"},
            "Hung after 1 min: no sign of life for 30 s. It was ended by SIGTERM. Its last note was “order 118”.",
        ),
        (
            "hung",
            {"signal": "SIGKILL"},
            "Hung: after 1 min it gave no sign of life, and was ended by SIGKILL.",
        ),
        ("over_memory", {"peak_memory": 66.4}, "it had grown by 66 MiB at its peak."),
        ("over_memory", {}, "Over its memory limit after 1 min; by how much was not measured."),
        ("recycled", {"reason": "it asked for it"}, "Replaced gracefully after 1 min: it asked for it."),
        ("refused", {"exception": "“x” does not import."}, "The job cannot run as it is defined: “x” does not import."),
        (
            "killed",
            {"reason": "the daemon was told to stop a second time (SIGTERM)"},
            "1 min: the daemon was told to stop a second time (SIGTERM).",
        ),
        ("killed", {}, "Killed after 1 min: it was asked to stop, and did not stop in time."),
        ("lost", {}, "Lost: its daemon ended before it could report how this run ended."),
    ],
)
def test_a_run_tells_its_end_in_a_sentence(
    superuser: Client, job: Job, outcome: str, fields: dict[str, Any], sentence: str
) -> None:
    run = add_run(job, 90, 60 if outcome else None, outcome=outcome, **fields)

    assert sentence in run_page(superuser, run)


def test_every_outcome_has_its_sentence() -> None:
    from workerd.admin.run_sentence import _SENTENCES

    assert set(_SENTENCES) == set(Outcome)


def test_a_run_shows_what_was_kept_of_it(superuser: Client, job: Job) -> None:
    kept: dict[str, Any] = {"traceback": "Traceback:\n  <1>", "stack": "Thread <2>", "last_lines": "line <3>"}
    run = add_run(job, 90, connections_opened=3, connections_closed=2, peak_memory=12.5, pid=4711, **kept)

    page = client_page = superuser.get(reverse("admin:workerd_run_change", args=[run.pk])).content.decode()

    for text in ("Traceback:\n  &lt;1&gt;</pre>", "Thread &lt;2&gt;</pre>", "line &lt;3&gt;</pre>"):
        assert text in client_page
    for text in ("3 opened, 2 closed", "12.5 MiB", "pid 4711", "shop@web1", str(run.pk)):
        assert text in page


def test_a_run_leads_to_the_one_before_and_the_one_after_in_its_slot(superuser: Client, job: Job) -> None:
    first, middle, last = (add_run(job, ago) for ago in (300, 200, 100))
    add_run(job, 150, slot="mail:1", index=1)
    urls = [reverse("admin:workerd_run_change", args=[run.pk]) for run in (first, last)]

    page = run_page(superuser, middle)

    assert f'<a href="{urls[0]}" rel="prev">' in page
    assert f'<a href="{urls[1]}" rel="next">' in page
    assert 'rel="prev"' not in run_page(superuser, first)
    assert 'rel="next"' not in run_page(superuser, last)


def test_a_run_outlives_its_job(superuser: Client, job: Job) -> None:
    run = add_run(job, 90)
    job.delete()

    assert "/page/" not in run_page(superuser, run)
    assert superuser.get(reverse("admin:workerd_run_change", args=[uuid.uuid4()])).status_code == 404


def test_the_timeline_has_a_lane_a_slot_and_a_bar_a_run(superuser: Client, job: Job) -> None:
    for index in (0, 1):
        add_run(job, 7200, slot=f"mail:{index}", index=index)
        add_run(job, 60, None, slot=f"mail:{index}", index=index)
    add_run(job, 90_000, 10)

    page = job_page(superuser, job)

    assert page.count("data-workerd-run") == 4
    assert "<li>mail:0</li><li>mail:1</li>" in page
    assert page.count('tabindex="0" data-workerd-run') == 1
    assert "mail:1: error after 1 min, started" in page


def test_a_run_born_before_the_window_begins_at_its_edge(superuser: Client, job: Job) -> None:
    add_run(job, 200_000, None)

    assert 'x="0.000%" width="100.000%"' in job_page(superuser, job)


def test_a_run_that_is_older_than_many_is_drawn_while_it_runs(
    superuser: Client, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_runs, "MOST", 3)
    node = Node.objects.create(name="shop", host="web1", pulse=timezone.now())
    old = add_run(job, 50_000, None, slot="mail:1", index=1)
    Slot.objects.create(job=job, job_name="mail", node=node, index=1, name="mail:1", state="RUNNING", run=old.pk)
    for ago in range(10, 60, 10):
        add_run(job, ago, 1)

    page = job_page(superuser, job)

    assert str(old.pk) in page
    assert "There are too many runs to draw" in page


def test_the_last_failures_end_as_their_tracebacks_do(superuser: Client, job: Job) -> None:
    add_run(job, 90, exception="shop.CourierError: 503 <out>")
    add_run(job, 80, outcome="crashed", signal="SIGSEGV")
    add_run(job, 70, outcome="stopped", exception="not a failure")

    page = job_page(superuser, job)

    assert "shop.CourierError: 503 &lt;out&gt;" in page
    assert "SIGSEGV" in page
    assert "not a failure" not in page


def test_the_history_is_paged_without_counting_all_of_it(
    superuser: Client, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workerd.admin import base

    monkeypatch.setattr(base, "MOST_COUNTED", 3)
    for ago in range(5):
        add_run(job, 100 + ago)

    changes = superuser.get(reverse("admin:workerd_run_changelist")).context["cl"]

    assert changes.result_count == 3


def test_the_runs_of_a_job_are_one_click_away(superuser: Client, job: Job) -> None:
    other = Job.objects.create(name="other", target="x.y")
    add_run(job, 10)
    add_run(other, 10)
    url = f"{reverse('admin:workerd_run_changelist')}?job__id__exact={job.pk}"

    assert url in job_page(superuser, job)
    assert [run.job_name for run in superuser.get(url).context["cl"].result_list] == ["mail"]

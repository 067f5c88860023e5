"""What the pages cost with a million runs: a fixed number of queries, and never a look at every run."""

import json
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from workerd.models import Job, Run, Slot

from .admin_history import add_history, remove_history
from .admin_roles import client_of
from .many_jobs import add_jobs
from .rows_read import rows_read

JOBS = 500
RUNS = {"sqlite": 20_000}  # whose plans are not looked at
MOST_QUERIES = 12
MOST_SHARE = 0.05
"""Of all runs: the last hour's, whose restarts are counted, are not quite four in a hundred of this history."""
TABLE = Run._meta.db_table

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.backends("sqlite", "postgres-psycopg", "mysql-pymysql"),  # plans are the server's, not the driver's
]


@pytest.fixture
def superuser() -> Client:
    return client_of("superuser")


@pytest.fixture
def runs() -> Iterator[int]:
    """The crowd with its history; how many runs that is."""
    runs = RUNS.get(connection.vendor, 1_000_000)
    add_jobs(JOBS)
    _give_schedules()
    add_history(runs)
    assert Run.objects.count() == runs
    yield runs
    remove_history()


def _give_schedules() -> None:
    """Have every second job wait for its time, from the noisy one on."""
    scheduled = Job.objects.order_by("pk").values_list("pk", flat=True)[::2]
    Job.objects.filter(pk__in=scheduled).update(schedule="@daily", restart="never")
    Slot.objects.filter(job_id__in=scheduled).update(state="WAITING")


@pytest.fixture
def pages(runs: int) -> dict[str, str]:
    """Every page of ours that looks at runs or at many jobs."""
    noisy, quiet = Job.objects.order_by("pk")[:2]
    run = Run.objects.filter(job=noisy).order_by("born")[100]
    history = reverse("admin:workerd_run_changelist")
    return {
        "every job on one page": reverse("admin:workerd_job_changelist") + "?all=",
        "the same, refreshed": reverse("admin:workerd_job_live") + "?all=",
        "jobs that need a look": reverse("admin:workerd_job_changelist") + "?state=look",
        "jobs that wait for their time": reverse("admin:workerd_job_changelist") + "?state=rest",
        "a noisy job": reverse("admin:workerd_job_page", args=[noisy.pk]),
        "the same job, refreshed": reverse("admin:workerd_job_page_live", args=[noisy.pk]),
        "its form": reverse("admin:workerd_job_change", args=[noisy.pk]),
        "a quiet job": reverse("admin:workerd_job_page", args=[quiet.pk]),
        "a run": reverse("admin:workerd_run_change", args=[run.pk]),
        "runs": history,
        "runs of a quiet job": f"{history}?job__id__exact={quiet.pk}",
        "runs that were refused": f"{history}?outcome__exact=refused",
        "runs that an operator asked for": f"{history}?trigger__exact=operator",
        "runs found by a job's name": f"{history}?q={quiet.name}",
        "runs found by a slot's name": f"{history}?q={quiet.name}:1",
        "operations": reverse("admin:workerd_operation_changelist"),
        "slots": reverse("admin:workerd_slot_changelist"),
        "nodes": reverse("admin:workerd_node_changelist"),
    }


def test_pages_take_few_queries_and_read_few_of_the_runs(superuser: Client, pages: dict[str, str], runs: int) -> None:
    for name, url in pages.items():
        with CaptureQueriesContext(connection) as captured:
            response = superuser.get(url)
        assert response.status_code == 200, name
        queries = [query["sql"] for query in captured.captured_queries]
        assert len(queries) <= MOST_QUERIES, f"{name}: {queries}"
        for sql in queries:
            if f" {TABLE}" in sql.replace('"', " ").replace("`", " ") and connection.vendor != "sqlite":
                assert rows_read(sql, TABLE) <= MOST_SHARE * runs, f"{name}: {sql}"
        if name == "every job on one page":
            assert response.content.decode().count(':activity"') == JOBS
        if name == "the same, refreshed":
            assert len(json.loads(response.content)["pieces"]) == JOBS * 5 + 3
    if connection.vendor != "sqlite":  # or the check itself is blind
        assert rows_read(f"SELECT COUNT(*) FROM {TABLE} WHERE pid = 4711", TABLE) >= 0.99 * runs

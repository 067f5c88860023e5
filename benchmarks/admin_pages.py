"""What the admin's pages cost with 500 jobs and a million runs: queries and milliseconds, on PostgreSQL and MariaDB.

    python -m benchmarks.admin_pages postgres+psycopg://postgres@127.0.0.1:5432/workerd_pages [--runs 1000000]

The URL names a database that is made for it and dropped afterwards; the server fills it by itself, in well under a
minute where nothing else runs. The history is the one that tests/django/test_admin_cost.py counts queries and rows on:
500 jobs stand on one page, every column shown; one of them has three fifths of all runs. The figure to hold is 400 ms
for that page (median of 9, whole responses through Django's test client: middleware, session and templates included,
the network not).
"""

import argparse
import os
import statistics
import tempfile
import time

ROUNDS, JOBS = 9, 500


def main() -> None:
    """Fill a database, look at every page, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="a database URL as django_site reads it; the database must not exist")
    parser.add_argument("--runs", type=int, default=1_000_000)
    options = parser.parse_args()
    os.environ |= {
        "DATABASE_URL": options.url,
        "DJANGO_SETTINGS_MODULE": "django_site.settings",
        "WORKERD_STATE_DIR": tempfile.mkdtemp(),
    }
    import django

    django.setup()
    from django.db import connection

    admin_alias = connection.creation
    admin_alias.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        fill(options.runs)
        measure()
    finally:
        admin_alias.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


def fill(runs: int) -> None:
    """Write the jobs and the history that tests/django/test_admin_cost.py uses, too."""
    from django.db import connection

    from tests.django.admin_history import add_history
    from tests.django.many_jobs import add_jobs

    began = time.monotonic()
    add_jobs(JOBS)
    add_history(runs)
    print(f"{connection.vendor}: {JOBS} jobs, {runs} runs, written in {time.monotonic() - began:.0f} s")


def measure() -> None:
    """Print queries and the median time of each page."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from django.urls import reverse

    from workerd.models import Job, Run

    settings.ALLOWED_HOSTS = ["*"]
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("operator"))
    noisy, quiet = Job.objects.order_by("pk")[:2]
    run = Run.objects.filter(job=noisy).order_by("-born")[100]
    history = reverse("admin:workerd_run_changelist")
    pages = {
        f"{JOBS} jobs, all columns": reverse("admin:workerd_job_changelist") + "?all=",
        "the same, refreshed": reverse("admin:workerd_job_live") + "?all=",
        "page of the job with 3/5 of all runs": reverse("admin:workerd_job_page", args=[noisy.pk]),
        "the same, refreshed ": reverse("admin:workerd_job_page_live", args=[noisy.pk]),
        "page of another job": reverse("admin:workerd_job_page", args=[quiet.pk]),
        "a run": reverse("admin:workerd_run_change", args=[run.pk]),
        "runs": history,
        "runs of a job": f"{history}?job__id__exact={quiet.pk}",
        "runs that hung": f"{history}?outcome__exact=hung",
        "runs found by name": f"{history}?q={quiet.name}",
    }
    print(f"{'page':38} {'queries':>7} {'median ms':>9} {'worst ms':>9}")
    for name, url in pages.items():
        client.get(url)
        took = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            response = client.get(url)
            took.append((time.perf_counter() - began) * 1000)
            assert response.status_code == 200, response
        with CaptureQueriesContext(connection) as captured:
            client.get(url)
        print(f"{name:38} {len(captured):7} {statistics.median(took):9.0f} {max(took):9.0f}")


if __name__ == "__main__":
    main()

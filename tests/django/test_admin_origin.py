"""What the admin says of rows that come from code, and that it writes nothing of what sync keeps."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from workerd.models import Job
from workerd.sync.plan import GIVEN_KEY

from .admin_form import JOB_FORM
from .admin_roles import client_of

pytestmark = pytest.mark.django_db
LIST = "/admin/workerd/job/"


@pytest.fixture
def superuser() -> Client:
    return client_of("superuser")


@pytest.fixture
def job() -> Job:
    """A row in step with its code."""
    synced = {"target": "shop.jobs.ship_orders", "command": "", "processes": 1, "enabled": True}
    return Job.objects.create(name="mail-outbox", target="shop.jobs.ship_orders", source="shop", synced=synced)


def differ(job: Job, **said: Any) -> None:
    """Have the code say something else than the row."""
    job.synced = {**job.synced, **said}
    job.save()


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def form_url(job: Job) -> str:
    return reverse("admin:workerd_job_change", args=[job.pk])


def post(client: Client, job: Job, **changes: str) -> list[str]:
    """Save the form, and return what the user is told."""
    response = client.post(form_url(job), JOB_FORM | changes, follow=True)
    assert response.redirect_chain, response.context["errors"]
    return [str(message) for message in response.context["messages"]]


def test_the_list_says_which_rows_come_from_code_and_which_differ(superuser: Client, job: Job) -> None:
    Job.objects.create(name="by-hand", target="shop.jobs.price_feed")
    assert re.findall(r'workerd-origin" title="([^"]*)">([^<]*)<', text_of(superuser, LIST)) == [
        ("The definitions of “shop”", "from code")
    ]

    differ(job, processes=2)

    assert re.findall(r'workerd-origin" title="([^"]*)">([^<]*)<', text_of(superuser, LIST)) == [
        ("The definitions of “shop”\nprocesses: The code says 2.", "from code, changed here")
    ]


def test_the_form_and_the_page_say_what_the_code_says(superuser: Client, job: Job) -> None:
    page = reverse("admin:workerd_job_page", args=[job.pk])
    assert "The code says" not in text_of(superuser, form_url(job)) + text_of(superuser, page)
    assert "the definitions of “shop”, in code" in text_of(superuser, page)

    differ(job, processes=2, heartbeat_timeout=90)

    for url in (form_url(job), page):
        assert "The code says 2." in text_of(superuser, url)
        assert "The code says 1 min 30 s." in text_of(superuser, url)
    viewer = client_of("viewer")
    assert "The code says 2." in text_of(viewer, page)


def test_a_difference_that_was_accepted_is_said_to_be(superuser: Client, job: Job) -> None:
    differ(job, processes=2, **{GIVEN_KEY: {"processes": 1}})

    assert "The code says 2; the difference is accepted." in text_of(superuser, form_url(job))
    assert not [words for words in post(superuser, job) if "drift" in words]


def test_the_code_s_secrets_are_masked(superuser: Client, job: Job, settings: Any) -> None:
    settings.WORKERD = {**settings.WORKERD, "SECRET_KWARGS": ["*token*", "every"]}
    differ(job, kwargs={"api_token": "s3cret"}, command="expire_carts --every 4711")

    pages = "".join(text_of(superuser, url) for url in (LIST, form_url(job), f"{LIST}{job.pk}/page/"))

    assert "s3cret" not in pages
    assert "4711" not in pages
    assert "The code says {&quot;api_token&quot;: &quot;********&quot;}." in pages


def test_what_the_code_says_is_no_html(superuser: Client, job: Job) -> None:
    differ(job, notes="<script>alert(1)</script>")

    pages = "".join(text_of(superuser, url) for url in (LIST, form_url(job), f"{LIST}{job.pk}/page/"))

    assert "The code says &lt;script&gt;alert(1)&lt;/script&gt;." in pages
    assert "<script>alert" not in pages


def test_saving_says_that_sync_will_report_drift(superuser: Client, job: Job) -> None:
    assert not [words for words in post(superuser, job) if "drift" in words]
    assert not [words for words in post(superuser, job, nice="3") if "drift" in words]

    assert "The job comes from the definitions of “shop”. Sync will report this as drift: processes." in post(
        superuser, job, processes="5"
    )


def test_the_switch_says_it_too(superuser: Client, job: Job) -> None:
    response = superuser.post(f"{LIST}{job.pk}/switch/", {"enabled": "0"}, follow=True)

    assert [str(words) for words in response.context["messages"] if "drift: enabled." in str(words)]


def test_renaming_says_that_sync_makes_the_row_anew(superuser: Client, job: Job) -> None:
    said = post(superuser, job, name="post-outbox")

    assert "“mail-outbox” comes from code: sync will make it again, and switch “post-outbox” off." in said


def test_the_form_writes_nothing_of_what_sync_keeps(superuser: Client, job: Job) -> None:
    synced = dict(job.synced)

    post(superuser, job, source="depot", synced="{}")

    job.refresh_from_db()
    assert (job.source, job.synced) == ("shop", synced)
    form = text_of(superuser, form_url(job))
    assert 'name="source"' not in form
    assert 'name="synced"' not in form


def test_a_row_that_is_saved_as_a_new_one_is_the_admins(superuser: Client, job: Job) -> None:
    superuser.post(form_url(job), {**JOB_FORM, "name": "copy", "source": "shop", "_saveasnew": "1"})

    copy = Job.objects.get(name="copy")
    assert (copy.source, copy.synced) == ("", None)


def deep(levels: int) -> Any:
    return {"deeper": deep(levels - 1)} if levels else {}


@pytest.mark.parametrize(
    "spoiled", [["no", "object"], {GIVEN_KEY: 5, "processes": 3}, deep(25)], ids=["list", "given", "deep"]
)
def test_a_row_whose_kept_values_were_spoiled_is_shown_and_saved(superuser: Client, job: Job, spoiled: Any) -> None:
    """By another program, in SQL."""
    Job.objects.update(synced=spoiled)

    for url in (LIST, form_url(job), f"{LIST}{job.pk}/page/"):
        assert "shop" in text_of(superuser, url)
    post(superuser, job, nice="3")


@pytest.mark.backends("sqlite")
def test_kept_values_that_python_cannot_take_count_as_none(superuser: Client, job: Job) -> None:
    Job.objects.update(synced=deep(150))

    assert Job.objects.get().synced is None
    post(superuser, job, nice="3")

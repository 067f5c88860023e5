"""The labels of a job where they are typed, shown and searched."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from workerd.job_rules.texts import TEXT_LIMITS
from workerd.models import Job

from .admin_form import JOB_FORM
from .admin_roles import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

LABELS = "team=billing, tier=1"


@pytest.fixture
def superuser() -> Client:
    return client_of("superuser")


def save(client: Client, url: str = "", **values: str) -> dict[str, Any]:
    """Return the errors of the form."""
    answer: Any = client.post(url or reverse("admin:workerd_job_add"), {**JOB_FORM, **values})
    return answer.context["adminform"].form.errors if answer.context else {}


def found(client: Client, term: str) -> list[str]:
    answer: Any = client.get(reverse("admin:workerd_job_changelist"), {"q": term})
    return [job.name for job in answer.context["cl"].queryset]


def test_the_form_stores_labels_in_one_form_whatever_spaces_are_typed(superuser: Client) -> None:
    assert save(superuser, labels=" team = billing ,tier=1") == {}
    job = Job.objects.get()
    assert job.labels == LABELS

    page = superuser.get(reverse("admin:workerd_job_change", args=[job.pk])).content.decode()
    assert f'name="labels" value="{LABELS}"' in page
    assert "alerts go by them" in page
    assert save(superuser, reverse("admin:workerd_job_change", args=[job.pk]), labels="") == {}
    job.refresh_from_db()
    assert job.labels == ""


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("team", "labels has 'team' where a label should be: write “name=value”"),
        ("team=a, team=b", "labels names “team” more than once: remove the others."),
        (", ".join(f"n{number}=v" for number in range(11)), "labels has 11 labels, more than 10"),
        ("a=b," * 101, "labels has 404 characters, more than 400: shorten it."),
    ],
)
def test_the_form_says_beside_the_field_what_is_wrong(superuser: Client, typed: str, says: str) -> None:
    errors = save(superuser, labels=typed)

    assert not Job.objects.exists()
    assert list(errors) == ["labels"]
    assert [text for text in errors["labels"] if text.startswith(says)]


def test_a_text_that_only_its_spaces_make_too_long_is_refused_and_not_cut() -> None:
    text = ",".join(f"{'n' * 37}{number}=" for number in range(10))
    assert len(text) <= TEXT_LIMITS["labels"] < len(text) + 9

    with pytest.raises(ValidationError) as caught:
        Job(name="mail", target="shop.jobs.ship_orders", labels=text).full_clean()

    assert caught.value.message_dict["labels"] == [f"labels has {len(text) + 9} characters, more than 400: shorten it."]


def test_a_row_that_an_earlier_release_has_written_has_no_labels(superuser: Client) -> None:
    job = Job.objects.create(name="mail", target="shop.jobs.ship_orders")
    Job.objects.update(labels=None)
    job.refresh_from_db()

    change = superuser.get(reverse("admin:workerd_job_change", args=[job.pk])).content.decode()
    page = superuser.get(reverse("admin:workerd_job_page", args=[job.pk])).content.decode()

    assert job.to_spec().labels == ""
    assert 'name="labels" value="None"' not in change
    assert "<dt>Labels</dt>" not in page


def test_the_page_shows_labels_as_text_and_not_as_markup(superuser: Client) -> None:
    """SQL may have written what no form takes."""
    job = Job.objects.create(name="mail", target="shop.jobs.ship_orders", labels=LABELS)
    other = Job.objects.create(name="feed", target="shop.jobs.ship_orders", labels="team=<b>")

    page = superuser.get(reverse("admin:workerd_job_page", args=[job.pk])).content.decode()
    bad = superuser.get(reverse("admin:workerd_job_page", args=[other.pk])).content.decode()

    assert f"<code>{LABELS}</code>" in page
    assert "<code>team=&lt;b&gt;</code>" in bad


def test_a_user_who_may_only_look_sees_them() -> None:
    job = Job.objects.create(name="mail", target="shop.jobs.ship_orders", labels=LABELS)

    page = client_of("viewer").get(reverse("admin:workerd_job_change", args=[job.pk])).content.decode()

    assert LABELS in page


def test_the_list_is_searched_by_labels(superuser: Client) -> None:
    Job.objects.create(name="mail", target="shop.jobs.ship_orders", labels=LABELS)
    Job.objects.create(name="feed", target="shop.jobs.ship_orders", labels="team=shop")
    Job.objects.create(name="old", target="shop.jobs.ship_orders", labels=None)

    assert (found(superuser, "team=billing"), found(superuser, "tier=1")) == (["mail"], ["mail"])
    assert (found(superuser, "team="), found(superuser, "team=nobody")) == (["feed", "mail"], [])

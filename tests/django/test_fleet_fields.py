"""What is said of rows for some nodes or for the fleet, where they are checked, typed and shown."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.urls import reverse

from workerd.fleet.hints import stop_hint, where_hint
from workerd.fleet.one_host import REMEDY, shared_by, why_no_fleet
from workerd.management.fleet_problems import find_fleet_problems
from workerd.models import Job
from workerd.wire.spec import JobSpec

from .admin_form import JOB_FORM
from .admin_roles import client_of
from .fleet_rows import add_fleet_job, add_node

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

CORRECT = 'Correct where, or give a node the label in WORKERD["LABELS"].'


def add_known(name: str, **values: Any) -> None:
    """Make a node that a daemon of this release has registered."""
    add_node(name, key=uuid.uuid4(), **values)


def warnings() -> list[str]:
    return [text for level, text in find_fleet_problems("default") if level == "warning"]


def sqlite_only() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("the file of SQLite")


# hints


@pytest.mark.parametrize(
    ("stop_timeout", "takeover_after", "remedy"),
    [
        (10.0, 30.0, ""),
        (10.5, 30.0, "Raise takeover_after to 31.5 s"),
        (60.0, 30.0, "Raise takeover_after to 3 min"),
        (1800.0, 3600.0, "Lower it"),
    ],
)
def test_a_stop_that_takes_longer_than_a_third_is_hinted_at(
    stop_timeout: float, takeover_after: float, remedy: str
) -> None:
    hint = stop_hint(JobSpec("feed", stop_timeout=stop_timeout, takeover_after=takeover_after))

    assert (remedy in hint, bool(hint)) == (True, bool(remedy))


NODES = {"web@a": {"zone": "a"}, "web@b": {"zone": "b"}}


@pytest.mark.parametrize("where", ["", "zone=b", "disk!=hdd", "zone", "zone~"])
def test_labels_that_a_node_has_and_labels_that_cannot_be_read_give_no_hint(where: str) -> None:
    assert where_hint(where, NODES) == ""


def test_labels_that_no_known_node_has_are_hinted_at() -> None:
    misfits = "web@a has zone=a, and where asks for zone=c; web@b has zone=b, and where asks for zone=c"

    assert where_hint("zone=c", NODES) == f"No known node may run it: {misfits}. {CORRECT}"
    assert where_hint("zone=c", {}) == ""
    assert "; and 7 more. " in where_hint("zone", {f"web@{number}": {} for number in range(10)})


# check


def test_check_warns_of_labels_that_no_known_node_has_and_of_a_long_stop() -> None:
    add_known("web", labels={"zone": "a"})
    add_node("old", labels={})
    Job.objects.create(name="mail", target="shop.jobs.ship_orders", where="zone=b")
    Job.objects.create(name="here", target="shop.jobs.ship_orders", where="zone=a")
    Job.objects.create(name="off", target="shop.jobs.ship_orders", where="zone=b", enabled=False)
    Job.objects.create(name="slow", target="shop.jobs.ship_orders", stop_timeout=60.0)
    add_fleet_job(stop_timeout=60.0)

    feed, mail = warnings()

    assert feed.startswith("The job “feed”: stop_timeout is 1 min, more than a third of takeover_after: ")
    assert mail == (
        f"The job “mail”: No known node may run it: web@rack has zone=a, and where asks for zone=b. {CORRECT}"
    )


def test_the_labels_of_this_project_count_too(settings: Any) -> None:
    settings.WORKERD = {**settings.WORKERD, "LABELS": {"zone": "b"}}
    add_known("web", labels={"zone": "a"})
    Job.objects.create(name="mail", target="shop.jobs.ship_orders", where="zone=b")

    assert warnings() == []


def test_without_a_known_node_no_label_is_missed() -> None:
    Job.objects.create(name="mail", target="shop.jobs.ship_orders", where="zone=b")

    assert warnings() == []


# SQLite


def test_sqlite_serves_the_fleet_on_one_host_alone() -> None:
    sqlite_only()
    add_node("web", host="a")
    add_node("jobs", host="a")
    add_node("gone", host="c", silent_s=60)

    assert (why_no_fleet("default"), why_no_fleet("default", "a")) == ("", "")

    add_node("web", host="b")
    add_fleet_job()

    refused = f"scope is fleet, and SQLite serves one host: a node on b uses the file, too. {REMEDY}."
    assert (why_no_fleet("default", "a"), why_no_fleet("default")) == (refused, refused)
    assert warnings() == [f"The job “feed” would be refused: {refused}"]


def test_a_server_serves_the_fleet_on_many_hosts() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("the servers")
    add_node("web", host="a")
    add_node("web", host="b")

    assert why_no_fleet("default", "a") == ""


def test_a_file_system_that_hosts_share_is_known_by_its_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
        "40 22 0:41 / /srv/two\\040words rw shared:2 - nfs4 files:/shop rw\n"
        "41 40 0:42 / /srv/two\\040words/local rw - tmpfs tmpfs rw\n"
    )

    assert shared_by("/srv/two words/db.sqlite3", mounts) == "nfs4"
    assert shared_by("/srv/two words/local/db.sqlite3", mounts) == ""
    assert shared_by("/srv/db.sqlite3", mounts) == ""
    assert shared_by("/srv/db.sqlite3", tmp_path / "none") == ""


# the admin


@pytest.fixture
def superuser() -> Client:
    return client_of("superuser")


def save(client: Client, **values: str) -> tuple[Job | None, list[str], dict[str, Any]]:
    """Return the row that the form has made, what was said, and the form's errors."""
    answer: Any = client.post(reverse("admin:workerd_job_add"), {**JOB_FORM, **values})
    errors = answer.context["adminform"].form.errors if answer.context else {}
    return Job.objects.first(), [str(message) for message in get_messages(answer.wsgi_request)], errors


def test_the_form_takes_the_fields_of_the_fleet_as_people_type_them(superuser: Client) -> None:
    job, said, errors = save(
        superuser,
        scope="fleet",
        where=" zone = a",
        takeover_after="2 min",
        without_database="go_on",
        movable="on",
        stop_timeout="60 s",
    )

    assert errors == {}
    assert job is not None
    assert (job.scope, job.takeover_after, job.without_database, job.movable) == ("fleet", 120.0, "go_on", True)
    assert any(text.startswith("stop_timeout is 1 min, more than a third") for text in said)


def test_a_box_that_is_not_ticked_and_a_time_that_is_not_given_are_the_defaults(superuser: Client) -> None:
    job, _, errors = save(superuser, takeover_after="")

    assert errors == {}
    assert job is not None
    assert (job.scope, job.takeover_after, job.movable) == ("each_node", 30.0, False)


@pytest.mark.parametrize(
    ("field", "typed", "says"),
    [
        ("takeover_after", "9 s", "set it to a duration from 10 s to 1 h."),
        ("takeover_after", "2 h", "set it to a duration from 10 s to 1 h."),
        ("takeover_after", "soon", "is not a duration"),
        ("where", "zone~a", "where names the label"),
        ("where", "zone=a, zone=b", "which no node has both"),
        ("scope", "world", "scope is"),
    ],
)
def test_the_form_says_beside_the_field_what_is_wrong(superuser: Client, field: str, typed: str, says: str) -> None:
    job, _, errors = save(superuser, **{field: typed})

    assert job is None
    assert list(errors) == [field]
    assert says in errors[field][0] or field == "scope"


def test_the_form_names_the_labels_that_nodes_have_and_offers_no_empty_choice(superuser: Client) -> None:
    add_known("web", labels={"zone": "a", "disk": "ssd"})

    page = superuser.get(reverse("admin:workerd_job_add")).content.decode()

    assert "The nodes have: disk=ssd, zone=a." in page
    assert 'type="checkbox" name="movable"' in page
    assert page.count('<option value="each_node" selected>') == 1
    assert "---------" not in page.split('name="scope"')[1].split("</select>")[0]


def test_a_row_that_an_earlier_release_has_written_shows_the_defaults(superuser: Client) -> None:
    job = Job.objects.create(name="mail", target="shop.jobs.ship_orders")
    Job.objects.update(scope=None, where=None, takeover_after=None, without_database=None, movable=None)

    page = superuser.get(reverse("admin:workerd_job_change", args=[job.pk])).content.decode()

    assert '<option value="each_node" selected>' in page
    assert 'name="takeover_after" value="30 s"' in page


def test_the_page_of_a_job_shows_where_it_runs(superuser: Client) -> None:
    job = add_fleet_job(where="zone=a", movable=True)
    other = Job.objects.create(name="mail", target="shop.jobs.ship_orders", where="disk=ssd")

    of_fleet = superuser.get(reverse("admin:workerd_job_page", args=[job.pk])).content.decode()
    of_each = superuser.get(reverse("admin:workerd_job_page", args=[other.pk])).content.decode()

    assert "<code>zone=a</code>" in of_fleet
    assert "Taken over after" in of_fleet
    assert "<code>disk=ssd</code>" in of_each
    assert "Taken over after" not in of_each

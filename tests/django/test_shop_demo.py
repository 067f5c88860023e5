"""The demo's set-up: what it creates, that doing it twice harms nothing, and that its jobs can run."""

from io import StringIO

import pytest
from django.apps import apps
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command

from shop import demo
from shop.apps import ShopConfig
from shop.models import Article, Setting
from workerd.models import Job

pytestmark = pytest.mark.django_db


def set_up(**options: object) -> str:
    output = StringIO()
    call_command("demo", stdout=output, **options)
    return output.getvalue()


def test_one_command_sets_everything_up_and_says_where_to_go() -> None:
    output = set_up()

    assert set(Job.objects.values_list("name", flat=True)) == {row["name"] for row in demo.JOBS}
    assert Article.objects.exists()
    admin = authenticate(username="admin", password="admin")
    assert admin is not None
    assert admin.is_superuser
    assert "http://127.0.0.1:8000/admin/" in output


def test_a_second_time_keeps_what_was_edited() -> None:
    set_up()
    Job.objects.filter(name="transfer-stock").update(processes=7)
    user = get_user_model().objects.get()
    user.set_password("better")
    user.save()

    output = set_up()

    assert Job.objects.get(name="transfer-stock").processes == 7
    assert authenticate(username="admin", password="better") == user
    assert f"{len(demo.JOBS)} jobs, 0 of them new" in output


def test_the_admin_moves_to_another_port_and_stays_there() -> None:
    set_up()
    set_up(port=8123)

    output = set_up()

    assert Job.objects.get(name="admin-site").command.endswith(" 127.0.0.1:8123")
    assert "http://127.0.0.1:8123/admin/" in output


@pytest.mark.parametrize("row", demo.JOBS, ids=lambda row: row["name"])
def test_each_job_of_the_demo_passes_the_checks_of_its_model(row: dict[str, object]) -> None:
    Job(**row).full_clean()


def test_the_project_reads_its_title_from_the_database_when_it_is_loaded() -> None:
    Setting.objects.create(name="title", value="The corner shop")
    config = ShopConfig("shop", apps.get_app_config("shop").module)

    config.ready()

    assert config.title == "The corner shop"

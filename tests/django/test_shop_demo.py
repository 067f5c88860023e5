"""The demo's set-up: what it creates, that doing it twice harms nothing, and that its jobs can run."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command

from shop.apps import ShopConfig
from shop.models import Article, Setting
from workerd.definitions.declared import read_declared, source_name
from workerd.models import Job

pytestmark = pytest.mark.django_db


def set_up(**options: object) -> str:
    output = StringIO()
    call_command("demo", stdout=output, **options)
    return output.getvalue()


def test_one_command_sets_everything_up_and_says_where_to_go() -> None:
    output = set_up()

    defined = read_declared().definitions
    assert set(Job.objects.values_list("name", flat=True)) == set(defined)
    assert f"Jobs: {len(defined)} written." in output
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
    assert "transfer-stock: drift" in output
    assert f"Jobs: 1 to decide, {len(read_declared().definitions) - 1} in step." in output


def test_definitions_without_the_admins_job_set_up_the_rest(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "jobs.toml").write_text('[jobs.ship-orders]\ntarget = "shop.jobs.ship_orders"\n')
    settings.WORKERD = {**settings.WORKERD, "DEFINITIONS": [tmp_path / "jobs.toml"]}

    output = set_up()
    with pytest.raises(CommandError, match="no job “admin-site”"):
        set_up(port=8123)

    assert "Jobs: 1 written." in output
    assert "http://" not in output


def test_the_admin_moves_to_another_port_and_stays_there() -> None:
    set_up()
    set_up(port=8123)

    output = set_up()

    assert Job.objects.get(name="admin-site").command.endswith(" 127.0.0.1:8123")
    assert "http://127.0.0.1:8123/admin/" in output


def test_each_job_of_the_demo_passes_the_checks_of_its_model() -> None:
    set_up()

    for job in Job.objects.all():
        job.full_clean()


def test_rows_from_before_the_demo_had_a_file_are_taken_over_as_they_were_edited() -> None:
    Job.objects.create(name="price-feed", target="shop.jobs.price_feed", notes="mine")

    output = set_up()

    job = Job.objects.get(name="price-feed")
    assert (job.source, job.notes) == (source_name(), "mine")
    assert "price-feed: taken over by the code, conflict" in output


def test_the_project_reads_its_title_from_the_database_when_it_is_loaded() -> None:
    Setting.objects.create(name="title", value="The corner shop")
    config = ShopConfig("shop", apps.get_app_config("shop").module)

    config.ready()

    assert config.title == "The corner shop"

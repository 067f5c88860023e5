"""``manage.py workerd adopt``: what it prints, what it writes, and how it ends."""

import io
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import Error, connection

from workerd.management.adopting import find_host_zone
from workerd.models import Job

pytestmark = pytest.mark.django_db

FILE = """
[program:orders]
command=/srv/shop/manage.py ship_orders --warehouse main
numprocs=2
autorestart=true
stopwaitsecs=30

[program:web]
command=gunicorn shop.wsgi
"""


@pytest.fixture
def allowed(settings: Any) -> None:
    settings.WORKERD = settings.WORKERD | {"COMMANDS": ["check"]}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "shop.conf"
    path.write_text(FILE.replace("ship_orders --warehouse main", "check --deploy"))
    return path


def adopt(*words: Any) -> tuple[int, str, str]:
    """Return the exit code, stdout and stderr."""
    output, errors = io.StringIO(), io.StringIO()
    try:
        call_command("workerd", "adopt", *map(str, words), stdout=output, stderr=errors)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue(), errors.getvalue()
    return 0, output.getvalue(), errors.getvalue()


def test_jobs_are_printed_and_the_rest_is_said_with_exit_1(allowed: None, conf: Path) -> None:
    code, output, errors = adopt(conf)

    assert code == 1
    assert tomllib.loads(output)["jobs"] == {
        "orders": {"command": "check --deploy", "processes": 2, "stop_timeout": 30}
    }
    assert "web" in errors
    assert "gunicorn serves HTTP" in errors
    assert not Job.objects.exists()


def test_the_last_lines_say_what_is_left_to_do(settings: Any, tmp_path: Path) -> None:
    settings.WORKERD = settings.WORKERD | {"COMMANDS": ["check"], "ENV": ["SHOP_*"]}
    path = tmp_path / "shop.conf"
    secrets = "environment=SHOP_TOKEN='x',BROKER='amqp://shop:hunter2@mq',API_TOKEN='hunter2'"
    path.write_text(
        f"[program:a]\ncommand=manage.py check\n[program:b]\ncommand=manage.py migrate --check\n{secrets}\n"
        "[program:c]\ncommand=gunicorn shop\n"
    )

    _, output, errors = adopt(path)

    assert errors.splitlines()[-4:] == [
        "2 programs adopted, 1 not.",
        "WORKERD does not allow yet what these jobs need; add to its lists:",
        '    "COMMANDS": ["migrate"],',
        '    "ENV": ["API_TOKEN", "BROKER"],',
    ]
    assert "hunter2" not in output + errors


def test_where_all_is_allowed_the_last_line_is_the_count(allowed: None, conf: Path) -> None:
    assert adopt(conf)[2].splitlines()[-1] == "1 program adopted, 1 not."


def test_where_every_program_is_a_job_the_exit_code_is_0(allowed: None, conf: Path) -> None:
    conf.write_text(conf.read_text().partition("[program:web]")[0])

    assert adopt(conf)[0] == 0


def test_a_file_that_cannot_be_read_is_wrong_usage(tmp_path: Path) -> None:
    code, output, errors = adopt(tmp_path / "missing.conf")

    assert (code, output) == (2, "")
    assert "missing.conf” cannot be read" in errors


def test_no_name_or_line_moves_the_terminal(allowed: None, tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_text("a: python \x1b[2Jmanage.py\n\x1b[2Jb\n")

    _, output, errors = adopt(path)

    assert "\x1b" not in output + errors


def test_rows_are_made_disabled_with_where_they_come_from(allowed: None, conf: Path) -> None:
    code, output, errors = adopt(conf, "--write")

    job = Job.objects.get()
    assert (job.name, job.command, job.processes, job.restart) == ("orders", "check --deploy", 2, "always")
    assert (job.enabled, job.source, job.stop_timeout) == (False, "", 30.0)
    assert job.notes.startswith(f"Adopted from {conf}, line 2.")
    assert "orders: made, disabled." in output
    assert (code, "gunicorn serves HTTP" in errors) == (1, True)


def test_a_row_of_the_same_name_stays_as_it_is(allowed: None, conf: Path) -> None:
    adopt(conf, "--write")
    Job.objects.update(processes=7)

    code, output, errors = adopt(conf, "--write")

    assert Job.objects.get().processes == 7
    assert (code, output) == (1, "")
    assert "There is a row orders already" in errors


def test_a_command_that_is_not_allowed_makes_no_row(conf: Path, settings: Any) -> None:
    settings.WORKERD = settings.WORKERD | {"COMMANDS": []}

    code, _, errors = adopt(conf, "--write")

    assert not Job.objects.exists()
    assert code == 1
    assert 'Add "check" to WORKERD["COMMANDS"]' in errors


def test_a_database_that_fails_is_said_and_nothing_is_written(
    allowed: None, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf.write_text(conf.read_text() + "[program:second]\ncommand=manage.py check\n")
    save = Job.save

    def save_or_fail(job: Job, **options: Any) -> None:
        if job.name == "second":
            raise Error("the disk is full")
        save(job, **options)

    monkeypatch.setattr(Job, "save", save_or_fail)

    code, _, errors = adopt(conf, "--write")

    assert code == 1
    assert "none was (the disk is full)" in errors
    assert not connection.needs_rollback
    assert not Job.objects.exists()


def test_the_zone_of_the_host_is_its_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "localtime"
    monkeypatch.delenv("TZ", raising=False)

    assert find_host_zone(link) == "UTC"
    link.symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert find_host_zone(link) == "Europe/Berlin"
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert find_host_zone(link) == "Asia/Tokyo"
    monkeypatch.setenv("TZ", "CET-1CEST")
    assert find_host_zone(link) == ""


def test_a_host_whose_zone_has_no_name_says_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = tmp_path / "localtime"
    copied.write_bytes(b"TZif")
    monkeypatch.delenv("TZ", raising=False)

    assert find_host_zone(copied) == ""

"""``manage.py workerd check`` on the database: what it says of migrations and of each row that would not run."""

import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, get_commands
from django.db import connection

from workerd.management.reachable import lacks_its_file, why_unreachable
from workerd.models import Job, Node

NEXT_RELEASE = {"workerd": "tests.django.upgrade.migrations"}

pytestmark = pytest.mark.django_db


def check(*words: str) -> tuple[int, list[str]]:
    """Return the exit code, and the lines about the database.

    In the tests' settings STATE_DIR is a warning, and pytest has processes, threads and sockets of its own.
    """
    output = io.StringIO()
    try:
        call_command("workerd", "check", *words, stdout=output)
    except SystemExit as end:
        return int(str(end.code)), lines_of(output)
    return 0, lines_of(output)


def lines_of(output: io.StringIO) -> list[str]:
    others = ("The process ", "The thread ", "The socket ", "The connection ")
    lines = [line for line in output.getvalue().splitlines() if "STATE_DIR" not in line]
    return [line for line in lines if not line.removeprefix("warning: ").startswith(others)]


def test_a_database_with_rows_that_run_is_ready() -> None:
    Job.objects.create(name="mail", target="shop.jobs.ship_orders")

    assert check() == (0, ["workerd: can run."])


def test_each_row_that_cannot_run_has_a_line_with_its_remedy() -> None:
    Job.objects.create(name="two words", target="shop.jobs.ship_orders")
    Job.objects.create(name="feed", target="os.system")
    Job.objects.create(name="mail", target="shop.jobs.ship_orders", kwargs={"depot": 1})
    Job.objects.create(name="old", target="os.system", enabled=False)
    Job.objects.create(name="price", target="shop.jobs.price_feed")
    Job.objects.create(name="sign", target="shop.jobs.ship_orders", kwargs={"warehouse": {"$env": "HOME"}})

    code, lines = check()

    assert code == 1
    assert [line.partition(": ")[0] for line in lines] == ["error", "error", "warning", "error", "error"]
    assert lines[0] == (
        "error: The job “feed” cannot run: “os.system” is not a job that the project allows. "
        'Mark it @job in an app\'s jobs module, or add it to WORKERD["TARGETS"].'
    )
    assert lines[1].startswith("error: The job “mail” cannot run: ")
    assert "depot" in lines[1]
    assert lines[2].startswith("warning: The job “old” is disabled, and could not run: “os.system” is not a job")
    assert lines[3].startswith("error: The job “sign” cannot run: kwargs.warehouse asks for the environment variable")
    assert 'Add "HOME" to WORKERD["ENV"]' in lines[3]
    assert lines[4].startswith("error: The job “two words” cannot run: name is 'two words'")


def test_a_pending_migration_is_named_with_each_row_that_it_would_stop_at(settings: Any) -> None:
    settings.MIGRATION_MODULES = NEXT_RELEASE
    Job.objects.create(name="ages", target="shop.jobs.ship_orders", max_age=86_401)
    Job.objects.create(name="both", target="os.system", max_age=86_401)
    Job.objects.create(name="day", target="shop.jobs.ship_orders", max_age=86_400)
    Job.objects.create(name="endless", target="shop.jobs.ship_orders", max_age=None)
    for name in ("shop", "other"):
        Node.objects.create(name=name, host="web1")
    Node.objects.create(name="shop", host="web2")

    code, lines = check()

    assert code == 1
    refused, wrong_age, *twice = lines[1:]
    assert lines[0] == (
        "error: The database “default” is not migrated: it lacks 0002_made_up of workerd. "
        "Run “python manage.py migrate”."
    )
    assert refused.startswith("error: The job “both” stops the migration 0002_made_up and cannot run: “os.system” is ")
    assert wrong_age == (
        "error: The job “ages” stops the migration 0002_made_up: max_age is more than a day: lower it. "
        "Correct it before you migrate."
    )
    assert [line.partition(" stops the migration 0002_made_up: ")[0] for line in twice] == [
        "error: The node “shop”",
        "error: The node “other”",
    ]


def test_for_programs_the_rows_are_among_the_problems() -> None:
    Job.objects.create(name="feed", target="os.system")
    output = io.StringIO()

    with pytest.raises(SystemExit, match="1"):
        call_command("workerd", "check", "--json", stdout=output)

    answer = json.loads(output.getvalue())
    assert list(answer) == ["ok", "problems"]
    assert answer["ok"] is False
    assert "The job “feed” cannot run" in answer["problems"][-1]["text"]


NAMES = {
    "COMMANDS": ["expire_carts", "db_wroker", "breaks"],
    "TARGETS": [
        "shop.stocktaking.*",
        "shop.stocktaking.count_stock",
        "shop.stocktaking.cuont",
        "shop.taks.*",
        "*.jobs.*",
    ],
}


def test_each_name_of_the_settings_that_does_not_load_has_a_line(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(get_commands(), "breaks", "nothing_of_that_name")
    settings.WORKERD = {**settings.WORKERD, **NAMES}

    code, lines = check()

    assert code == 1
    assert [line for line in lines if not line.startswith("warning: ")] == [
        (
            'error: WORKERD["COMMANDS"] has “db_wroker”: “db_wroker” is not a management command of any installed app. '
            "Correct the name, or add its app to INSTALLED_APPS."
        ),
        (
            'error: WORKERD["COMMANDS"] has “breaks”: “breaks” does not import: ModuleNotFoundError: No module named '
            "'nothing_of_that_name'. Correct the code, then reload workerd."
        ),
        (
            'error: WORKERD["TARGETS"] has “shop.stocktaking.cuont”: “shop.stocktaking.cuont” does not exist: '
            "“shop.stocktaking” has no “cuont”. Correct the name."
        ),
        (
            'error: WORKERD["TARGETS"] has “shop.taks.*”: “shop.taks” does not import: ModuleNotFoundError: '
            "No module named 'shop.taks'. Correct the code, then reload workerd."
        ),
    ]


def test_jobs_that_do_not_load_are_one_line_and_the_values_are_judged_all_the_same(settings: Any) -> None:
    settings.WORKERD = {**settings.WORKERD, "PRELOAD": ["tests.django.no_such_module"]}
    Job.objects.create(name="mail", target="shop.jobs.ship_orders")
    Job.objects.create(name="two words", target="shop.jobs.ship_orders")

    code, lines = check()

    assert code == 1
    assert len(lines) == 2
    assert "tests.django.no_such_module" in lines[0]
    assert "“two words”" in lines[1]


# databases that do not answer


@pytest.fixture
def silent_port() -> Iterator[int]:
    """The port of one that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.backends("postgres", "mysql")
def test_a_server_that_never_answers_is_given_up_soon(silent_port: int) -> None:
    other = connection.copy()
    other.settings_dict.update(HOST="127.0.0.1", PORT=str(silent_port))

    assert why_unreachable(other, patience_s=2)


@pytest.mark.backends("sqlite")
def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    other = connection.copy()
    other.settings_dict["NAME"] = tmp_path / "shop.sqlite3"

    assert lacks_its_file(other)
    assert not lacks_its_file(connection)
    assert list(tmp_path.iterdir()) == []

"""``manage.py workerd check`` on the database: what it says of migrations and of each row that would not run."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, get_commands
from django.db import connection

from shop.management.commands import expire_carts
from workerd.management import deadline
from workerd.management.reachable import lacks_its_file, why_unreachable
from workerd.models import Job, Node
from workerd.registry import autodiscover

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


def test_a_working_directory_that_is_not_there_has_a_line(tmp_path: Path) -> None:
    gone, there = tmp_path / "gone", tmp_path / "there"
    there.mkdir()
    for name, path, enabled in (("a", gone, True), ("b", there, True), ("c", gone, False)):
        row = {"target": "shop.jobs.ship_orders", "working_directory": str(path), "enabled": enabled}
        Job.objects.create(name=name, **row)
    sentence = (
        f"working_directory is “{gone}”, which cannot be entered (No such file or directory): "
        "make it, or correct the row."
    )

    assert check() == (
        1,
        [
            f"error: The job “a” cannot run here: {sentence}",
            f"warning: The job “c” is disabled, and could not run here: {sentence}",
        ],
    )


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


def test_rows_that_ask_for_more_processes_than_there_may_be_are_a_warning_that_names_the_largest(settings: Any) -> None:
    settings.WORKERD = {**settings.WORKERD, "MAX_PROCESSES": 10}
    for name, processes in {"ads": 1, "feed": 4, "mail": 2, "price": 3, "stock": 2}.items():
        Job.objects.create(name=name, target="shop.jobs.ship_orders", processes=processes)
    Job.objects.create(name="old", target="shop.jobs.ship_orders", processes=9, enabled=False)

    assert check() == (
        0,
        [
            (
                "warning: The enabled rows ask for 12 processes, 2 more than MAX_PROCESSES allows: those wait. "
                "The most are asked for by “feed” (4), “price” (3), “mail” (2). "
                'Lower them, or raise WORKERD["MAX_PROCESSES"].'
            ),
            "workerd: can run.",
        ],
    )
    Job.objects.filter(name="mail").update(processes=0)
    assert check() == (0, ["workerd: can run."])


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


# what hangs as it is loaded


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a module whose import hangs in its third line; ``check`` has little patience."""
    autodiscover()  # what is loaded now is not loaded within the patience
    monkeypatch.setattr(deadline, "PATIENCE_S", 0.2)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "hanging_stocktaking.py"
    file.write_text("import time\n\ntime.sleep(60)\n\n\ndef count() -> None: ...\n")
    yield file
    sys.modules.pop("hanging_stocktaking", None)


PARTS = {
    "BEFORE_FORK": "What the settings name",
    "PRELOAD": "The project's jobs",
    "TARGETS": 'WORKERD["TARGETS"] “hanging_stocktaking.count”',
    "row": "What the job “stock” runs",
}


@pytest.mark.parametrize("key", PARTS)
def test_a_module_that_hangs_is_named_with_its_line_and_nothing_is_left_of_the_wait(
    key: str, hanging: Path, settings: Any
) -> None:
    """A row names a module that a pattern in TARGETS allows and does not name."""
    values = {"PRELOAD": ["hanging_stocktaking"], "row": {"TARGETS": ["hanging_*.count"]}}
    named = values.get(key, ["hanging_stocktaking.count"])
    settings.WORKERD = {**settings.WORKERD, **(named if isinstance(named, dict) else {key: named})}
    Job.objects.create(name="stock", target="hanging_stocktaking.count", enabled=key == "row")
    handler, before = signal.getsignal(signal.SIGALRM), set(threading.enumerate())

    code, lines = check()

    errors = [line for line in lines if not line.startswith("warning: ")]
    assert (code, errors) == (
        1,
        [
            (
                f"error: {PARTS[key]} is not loaded after 0.2 s: it hangs in hanging_stocktaking, {hanging} line 3. "
                "Correct the code, then check again. Nothing after it was looked at."
            )
        ],
    )
    assert signal.getsignal(signal.SIGALRM) is handler
    assert (signal.getitimer(signal.ITIMER_REAL), set(threading.enumerate())) == ((0.0, 0.0), before)


def test_a_hang_that_no_signal_interrupts_ends_the_command_with_its_stack(hanging: Path) -> None:
    """A driver written in C may wait without end."""
    hanging.write_text("import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, {14})\ntime.sleep(60)\n")
    lines = (
        "from workerd.management import deadline",
        "deadline.PATIENCE_S = deadline.LAST_RESORT_S = 0.2",
        "with deadline.in_time('it'):",
        "    import hanging_stocktaking",
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(hanging.parent), *filter(None, sys.path)])}

    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=env, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 1
    assert f'File "{hanging}", line 3 in <module>' in done.stderr


# with --rows


def definitions(settings: Any, folder: Path, text: str) -> None:
    """Have the project define what the text says."""
    (folder / "jobs.toml").write_text(text)
    settings.WORKERD = {**settings.WORKERD, "DEFINITIONS": [folder / "jobs.toml"]}


SOUND = '[jobs.clean]\ntarget = "shop.jobs.ship_orders"\nstarts_after = ["mail"]\n'


def test_rows_and_definitions_that_can_run_pass_the_gate(settings: Any, tmp_path: Path) -> None:
    Job.objects.create(name="mail", target="shop.jobs.ship_orders")
    definitions(settings, tmp_path, SOUND)

    assert check("--rows") == (0, ["workerd: every enabled row and every definition can run."])


def test_each_row_and_each_definition_that_cannot_run_is_a_line_of_the_gate(settings: Any, tmp_path: Path) -> None:
    Job.objects.create(name="mail", target="os.system")
    Job.objects.create(name="old", target="os.system", enabled=False)
    definitions(
        settings, tmp_path, '[jobs.a]\ncommand = "flush"\n[jobs.b]\ntarget = "shop.jobs.ship_orders"\nnice = 40\n'
    )
    settings.WORKERD = {**settings.WORKERD, "COMMANDS": ["db_wroker"]}

    code, lines = check("--rows")

    assert code == 1
    assert [line.partition(": “")[0] for line in lines] == [
        'error: WORKERD["COMMANDS"] has “db_wroker”',
        f"error: {tmp_path}/jobs.toml, line 2: the job “a”",
        f"error: {tmp_path}/jobs.toml, line 5: the job “b”: nice is 40: set it to a whole number from -20 to 19.",
        "error: The job “mail” cannot run",
        "warning: The job “old” is disabled, and could not run",
    ]


def test_definitions_do_not_matter_to_the_daemon(settings: Any, tmp_path: Path) -> None:
    definitions(settings, tmp_path, "[jobs.a\n")

    assert check() == (0, ["workerd: can run."])
    assert check("--rows")[0] == 1


def test_a_secret_in_a_definition_is_a_warning_of_the_gate(settings: Any, tmp_path: Path) -> None:
    definitions(
        settings, tmp_path, '[jobs.a]\ntarget = "shop.jobs.ship_orders"\nkwargs = { warehouse = { key = "x" } }\n'
    )

    code, lines = check("--rows")

    assert code == 0
    assert [line.partition(": ")[0] for line in lines] == ["warning", "workerd"]
    assert "kwargs.warehouse.key looks like a secret" in lines[0]


ON_TWO = 'command = "expire_celery_workers"\nprocesses = 2\n'
ONE_NAME = "Its 2 processes have one name, so that RabbitMQ refuses all but the first: "


def test_a_likely_mistake_in_the_row_of_an_engines_consumer_is_a_warning(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that says what its definition says is told of with that alone; a disabled one is not told of."""
    monkeypatch.setitem(get_commands(), "expire_celery_workers", "shop")
    monkeypatch.setitem(sys.modules, "shop.management.commands.expire_celery_workers", expire_carts)
    settings.WORKERD = {**settings.WORKERD, "COMMANDS": ["expire_celery_workers"]}
    row = {"command": "expire_celery_workers", "processes": 2}
    Job.objects.create(name="in-admin", **row)
    Job.objects.create(name="in-code", **row)
    Job.objects.create(name="named", command="expire_celery_workers --every {index}", processes=2)
    Job.objects.create(name="off", **row, enabled=False)
    definitions(settings, tmp_path, f"[jobs.in-code]\n{ON_TWO}[jobs.off]\n{ON_TWO}enabled = false\n")

    code, lines = check("--rows")

    assert code == 0
    assert [line.partition("put “-n ")[0] for line in lines] == [
        f"warning: {tmp_path}/jobs.toml, line 2: the job “in-code”: {ONE_NAME}",
        f"warning: The job “in-admin”: {ONE_NAME}",
        "workerd: every enabled row and every definition can run.",
    ]
    assert [line.partition(": ")[2].partition(": ")[0] for line in check()[1][:-1]] == [
        "The job “in-admin”",
        "The job “in-code”",
    ]


def test_an_engine_that_is_not_switched_on_is_an_error_that_names_its_setting() -> None:
    Job.objects.create(name="mail", target="workerd.contrib.rq.worker")

    assert check("--rows") == (
        1,
        [
            (
                "error: The job “mail” cannot run: “workerd.contrib.rq.worker” is not a job that the project allows. "
                'Add "rq" to WORKERD["ENGINES"].'
            )
        ],
    )


def test_a_name_to_start_after_that_no_job_has_is_a_line_of_the_gate(settings: Any, tmp_path: Path) -> None:
    Job.objects.create(name="mail", target="shop.jobs.ship_orders", starts_after=["clean", "gone"])
    definitions(settings, tmp_path, SOUND.replace('"mail"]', '"lost"]'))

    assert check()[0] == 0
    assert check("--rows") == (
        1,
        [
            (
                "error: The job “mail” starts without waiting: starts_after names “gone”, and there is no such job. "
                "Correct it, or make that job."
            ),
            (
                f"error: {tmp_path}/jobs.toml, line 1: the job “clean”: starts_after names “lost”, and there is no "
                "such job. Correct it, or make that job."
            ),
        ],
    )


def test_a_circle_of_a_row_and_a_definition_is_an_error_of_the_gate(settings: Any, tmp_path: Path) -> None:
    Job.objects.create(name="mail", target="shop.jobs.ship_orders", starts_after=["clean"])
    definitions(settings, tmp_path, SOUND)

    code, lines = check("--rows")

    assert code == 1
    assert [line.partition(" starts_after makes a circle, ")[0] for line in lines] == [
        "error: The job “mail” cannot keep its order of start:",
        f"error: {tmp_path}/jobs.toml, line 1: the job “clean”:",
    ]


def test_a_circle_of_definitions_is_told_of_once(settings: Any, tmp_path: Path) -> None:
    text = '[jobs.{}]\ntarget = "shop.jobs.ship_orders"\nstarts_after = ["{}"]\n'
    definitions(settings, tmp_path, text.format("a", "b") + text.format("b", "a"))

    code, lines = check("--rows")

    assert code == 1
    assert [line.partition(" starts_after makes a circle, ")[2].partition(",")[0] for line in lines] == [
        "a → b → a",
        "b → a → b",
    ]


def test_jobs_that_do_not_load_are_one_line_of_the_gate(settings: Any, tmp_path: Path) -> None:
    definitions(settings, tmp_path, SOUND)
    settings.WORKERD = {**settings.WORKERD, "PRELOAD": ["shop.nothing_of_that_name"]}

    code, lines = check("--rows")

    assert code == 1
    assert [line.partition(": ModuleNotFoundError")[0] for line in lines] == [
        "error: “The project's jobs” does not import"
    ]


def test_the_gate_leaves_the_daemons_machine_out(settings: Any) -> None:
    """CI has neither the daemon's folder nor its kernel."""
    settings.WORKERD = {**settings.WORKERD, "STATE_DIR": None}

    assert check()[0] == 1
    assert check("--rows")[0] == 0


def test_the_gate_waits_for_no_definition_that_hangs(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions(settings, tmp_path, SOUND)
    check("--rows")  # what is loaded now is not loaded in the second that follows
    monkeypatch.setattr(deadline, "PATIENCE_S", 1.0)
    monkeypatch.setattr("workerd.definitions.judge.resolve", lambda _spec: signal.pause())

    code, lines = check("--rows")

    assert code == 1
    assert lines[0].startswith("error: What the definitions name is not loaded after 1 s: it hangs in ")


def test_each_order_that_cannot_be_kept_has_a_line_with_its_remedy() -> None:
    def make(name: str, *starts_after: str, **fields: Any) -> None:
        Job.objects.create(name=name, target="shop.jobs.ship_orders", starts_after=list(starts_after), **fields)

    make("a", "b")
    make("b", "a")
    make("feed", "nightly", "web")
    make("nightly", schedule="@daily", restart="never")
    make("off", "nightly", enabled=False)
    make("web", "fed")

    code, lines = check()
    circle = "starts_after makes a circle, {}, in which each job would wait for the next: remove one name."
    scheduled = "starts_after names “nightly”, which has a schedule and does not always run: remove it."
    fed = "starts_after names “fed”, and there is no such job. Did you mean “feed”? Correct it, or make that job."

    assert (code, lines[:5]) == (
        1,
        [
            f"error: The job “a” cannot keep its order of start: {circle.format('a → b → a')}",
            f"error: The job “b” cannot keep its order of start: {circle.format('b → a → b')}",
            f"error: The job “feed” cannot keep its order of start: {scheduled}",
            f"warning: The job “off” cannot keep its order of start: {scheduled}",
            f"warning: The job “web” starts without waiting: {fed}",
        ],
    )

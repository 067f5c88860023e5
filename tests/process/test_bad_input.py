"""What people get wrong: for each cause the exact sentence, and how it goes on. Nothing of it is a traceback."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from tests.harness.daemon import Daemon
from tests.harness.project import BAD_JOBS, Project
from tests.harness.waiting import eventually
from workerd.models import Job

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]
WITHIN_S = 30.0
OWN_FAULT, TRY_LATER, REFUSED = 70, 75, 78


@dataclass(frozen=True)
class Row:
    """A row, and why its slot is parked."""

    name: str
    says: str
    fields: dict[str, Any] = field(default_factory=dict)


ROWS = [
    Row(
        "unknown-target",
        "“store.jobs.nothing” is not a job that the project allows. "
        'Mark it @job in an app\'s jobs module, or add it to WORKERD["TARGETS"].',
        {"target": "store.jobs.nothing"},
    ),
    Row(
        "target-not-allowed",
        "“os.system” is not a job that the project allows. "
        'Mark it @job in an app\'s jobs module, or add it to WORKERD["TARGETS"].',
        {"target": "os.system", "kwargs": {"command": "true"}},
    ),
    Row(
        "allowed-but-not-there",
        f"“{BAD_JOBS}.nothing” does not exist: “{BAD_JOBS}” has no “nothing”. Correct the name.",
        {"target": f"{BAD_JOBS}.nothing"},
    ),
    Row(
        "by-way-of-an-import",
        "“shop.jobs.subprocess.run” does not exist: “shop.jobs” has no “subprocess”. Correct the name.",
        {"target": "shop.jobs.subprocess.run"},
    ),
    Row(
        "by-way-of-an-import-that-is-there",
        f"“{BAD_JOBS}.subprocess.run” is really “subprocess.run”, which the project does not allow. "
        'Mark a function of your own @job, or add that name to WORKERD["TARGETS"].',
        {"target": f"{BAD_JOBS}.subprocess.run", "kwargs": {"args": "true"}},
    ),
    Row(
        "kwargs-too-many",
        f"“{BAD_JOBS}.say” takes no argument “louder”. It takes “text”, “times”, “end”, “where”.",
        {"target": f"{BAD_JOBS}.say", "kwargs": {"louder": 1}},
    ),
    Row(
        "kwargs-too-few",
        f"“{BAD_JOBS}.write_pid” needs the argument “path”. Add it to kwargs.",
        {"target": f"{BAD_JOBS}.write_pid"},
    ),
    Row(
        "kwargs-too-deep",
        "kwargs nests deeper than 30 lists and objects: make it flatter.",
        {"target": f"{BAD_JOBS}.say", "kwargs": {"text": json.loads("[" * 30 + "]" * 30)}},
    ),
    Row(
        "kwargs-of-no-variable",
        "kwargs.text asks for the environment variable “NOT_SET_ANYWHERE”, which is not allowed or not set. "
        'Add "NOT_SET_ANYWHERE" to WORKERD["ENV"], set it where the daemon is started, and restart the daemon.',
        {"target": f"{BAD_JOBS}.say", "kwargs": {"text": {"$env": "NOT_SET_ANYWHERE"}}},
    ),
    Row(
        "command-not-allowed",
        '“flush” is not a management command that the project allows. Add "flush" to WORKERD["COMMANDS"].',
        {"command": "flush --no-input"},
    ),
    Row(
        "command-of-other-settings",
        "“expire_carts” may not be given “--settings=evil” in a row: it would print and end, or name another project. "
        "Remove that option.",
        {"command": "expire_carts --settings=evil"},
    ),
    Row(
        "command-of-another-path",
        "“expire_carts” may not be given “--pythonpath” in a row: it would print and end, or name another project. "
        "Remove that option.",
        {"command": "expire_carts --pythonpath /tmp"},
    ),
    Row(
        "command-of-another-path-in-short",
        "“expire_carts” may not be given “--pythonp=/tmp” in a row: it would print and end, or name another project. "
        "Remove that option.",
        {"command": "expire_carts --pythonp=/tmp"},
    ),
    Row(
        "command-with-an-option-of-its-own-making",
        "“expire_carts” does not take “--often”: unrecognized arguments: --often. "
        "“manage.py expire_carts --help” shows what it takes.",
        {"command": "expire_carts --often"},
    ),
    Row(
        "neither",
        "Neither target nor command is set: set one of them.",
        {"target": "", "command": ""},
    ),
]
REFUSED_BY_THE_DATABASE = ["neither"]
"""By a constraint, on each backend; whatever else one refuses has no sentence for the person any more."""


def test_each_row_that_cannot_run_says_why_and_keeps_no_other_from_running(project: Project, daemon: Daemon) -> None:
    """All of them at once, between two that are sound: these run, those are parked with a sentence, also on the row."""
    project.settings["TARGETS"] = ["tests.process.bad_jobs.*", "shop.jobs.*"]
    project.add_job("a-sound-one", "idle")
    kept = [row for row in ROWS if _insert(project, row)]
    assert [row.name for row in ROWS if row not in kept] == REFUSED_BY_THE_DATABASE
    project.add_job("sound-too", "idle")

    daemon.start()

    reasons = {row.name: daemon.wait_state(row.name, "PARKED", WITHIN_S)["reason"] for row in kept}
    assert reasons == {row.name: row.says for row in kept}
    for name in ("a-sound-one", "sound-too"):
        daemon.wait_state(name, "RUNNING", WITHIN_S)
    eventually(lambda: _problems(project) == {**reasons, "a-sound-one": "", "sound-too": ""}, WITHIN_S, "the problems")
    for row in kept:
        assert daemon.wait_event("job.refused", job=row.name)["reason"] == row.says
        assert len(daemon.events("job.refused", job=row.name)) == 1
    assert _tracebacks(daemon) == []
    assert project.manage("workerd", "status").returncode == 1, "something is parked"
    daemon.stop()


def _insert(project: Project, row: Row) -> bool:
    """Write the row past every form; False where the database's own constraints refuse it."""
    try:
        project.jobs.create(name=row.name, **row.fields)
    except IntegrityError:
        return False
    return True


def _problems(project: Project) -> dict[str, str]:
    return dict(project.jobs.values_list("name", "problem"))


def _tracebacks(daemon: Daemon) -> list[str]:
    return [line for line in [*daemon.log.lines, *daemon.stderr.splitlines()] if "Traceback" in line]


SETTINGS: list[tuple[str, dict[str, Any], str]] = [
    (
        "a name with a blank",
        {"NAME": "a b"},
        (
            "error: WORKERD[\"NAME\"] is 'a b', not a slug of at most 60 characters. "
            'Use letters, digits, - and _, such as "shop-workerd".'
        ),
    ),
    (
        "a key misspelt",
        {"POLL_SECOND": 1},
        "error: WORKERD has no key 'POLL_SECOND'. Did you mean \"POLL_SECONDS\"?",
    ),
    (
        "a number out of range",
        {"POLL_SECONDS": 0},
        (
            'error: WORKERD["POLL_SECONDS"] is 0, not a number of seconds from 0.01 to 3600. '
            "1.0 is right unless edits may take longer to act."
        ),
    ),
    (
        "a string for a list",
        {"TARGETS": "shop.*"},
        (
            "error: WORKERD[\"TARGETS\"] is 'shop.*', not a list of dotted patterns. "
            'Write a list, such as ["shop.tasks.*"].'
        ),
    ),
    (
        "a database that there is not",
        {"DATABASE": "elsewhere"},
        (
            "error: WORKERD[\"DATABASE\"] is 'elsewhere', not an alias in DATABASES. "
            "Name the alias of the database that holds workerd's tables."
        ),
    ),
    (
        "a callable that does not load",
        {"BEFORE_FORK": ["nowhere.nothing"]},
        (
            "error: WORKERD[\"BEFORE_FORK\"] names 'nowhere.nothing', which does not load: ModuleNotFoundError: "
            "No module named 'nowhere'. Name a callable without arguments by its full dotted path."
        ),
    ),
    (
        "no STATE_DIR",
        {"STATE_DIR": None},
        'error: WORKERD["STATE_DIR"] is not set. Name a directory on a local disk, such as "/var/lib/shop/workerd".',
    ),
    (
        "a STATE_DIR that is relative",
        {"STATE_DIR": "state"},
        (
            "error: WORKERD[\"STATE_DIR\"] is 'state', not an absolute path. "
            'Name a directory on a local disk, such as "/var/lib/shop/workerd".'
        ),
    ),
    (
        "a STATE_DIR that is a file",
        {"STATE_DIR": __file__},
        (
            f'error: WORKERD["STATE_DIR"] is “{__file__}”, but “{__file__}” is not a directory. '
            "Give the daemon's user a directory that it may write to."
        ),
    ),
    (
        "a STATE_DIR that cannot be written",
        {"STATE_DIR": "/proc/sys/workerd"},
        (
            'error: WORKERD["STATE_DIR"] is “/proc/sys/workerd”, but “/proc/sys” is not writable. '
            "Give the daemon's user a directory that it may write to."
        ),
    ),
]


@pytest.mark.backends("any")
@pytest.mark.parametrize(("settings", "says"), [case[1:] for case in SETTINGS], ids=[case[0] for case in SETTINGS])
def test_settings_that_cannot_be_used_end_the_daemon_with_78(
    project: Project, settings: dict[str, Any], says: str
) -> None:
    project.settings.update(settings)

    done = project.manage("workerd", "run")

    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert [line for line in done.stderr.splitlines() if not line.startswith("warning:")] == [says]


@pytest.mark.backends("any")
def test_every_problem_of_the_settings_is_said_at_once(project: Project) -> None:
    project.settings.update({"NAME": "a b", "POLL_SECONDS": 0, "TARGETS": "shop.*"})

    done = project.manage("workerd", "run")

    assert done.returncode == REFUSED
    assert len([line for line in done.stderr.splitlines() if line.startswith("error:")]) == 3


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("verb", ["run", "check"])
def test_sqlite_in_memory_is_refused(project: Project, verb: str) -> None:
    done = project.manage("workerd", verb, env={"DATABASE_URL": "sqlite:///:memory:"})

    assert done.returncode == (REFUSED if verb == "run" else 1)
    sentence = (
        "error: The database “default” is SQLite in memory: "
        "each process of a job would see an empty database of its own. "
        'Give DATABASES["default"]["NAME"] a file.'
    )
    assert sentence in (done.stderr + done.stdout).splitlines()
    assert "Traceback" not in done.stderr


FULL_DISK = """
import errno, os

def fsync(descriptor, real=os.fsync):
    if os.readlink(f"/proc/self/fd/{descriptor}").endswith("tests.epoch.new"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    real(descriptor)

os.fsync = fsync
"""
"""Has no room for the epoch's file in any process of Python."""


@pytest.mark.backends("any")
def test_a_disk_that_is_full_at_the_start_is_worth_another_try(project: Project, tmp_path: Path) -> None:
    """Unlike a STATE_DIR that is wrong, it passes: a service manager starts again what ends with 70."""
    (tmp_path / "sitecustomize.py").write_text(FULL_DISK)
    path = os.pathsep.join((str(tmp_path), project.env["PYTHONPATH"]))

    done = project.manage("workerd", "run", env={"PYTHONPATH": path})

    assert done.returncode == OWN_FAULT
    assert done.stderr.splitlines()[-1] == (
        f"workerd: STATE_DIR {project.state_dir} cannot be used now: [Errno 28] No space left on device. "
        "Free its disk: “df -h” shows its room, “df -i” its inodes."
    )
    assert "Traceback" not in done.stderr


@pytest.mark.backends("any")
def test_a_second_daemon_of_the_same_name_ends_with_75(project: Project, daemon: Daemon) -> None:
    daemon.start()

    done = project.manage("workerd", "run")

    assert done.returncode == TRY_LATER
    lock = project.state_dir / "tests.lock"
    assert done.stderr.splitlines()[-1] == (
        f"workerd: another daemon named 'tests' already runs (pid {daemon.pid}): it holds {lock}. "
        "Stop it first, or give this one another WORKERD['NAME']."
    )
    assert "Traceback" not in done.stderr
    assert daemon.picture()["daemon"]["pid"] == daemon.pid


def test_an_unmigrated_database_is_waited_for_with_a_sentence(empty_project: Project) -> None:
    daemon = Daemon(empty_project)
    try:
        daemon.start()
        reason = daemon.wait_event("ledger.lost")["reason"]
        assert reason.startswith('database "default" (')
        assert ") is not migrated (" in reason
        assert reason.endswith('): run "manage.py migrate --database default"')
        assert _tracebacks(daemon) == []
        daemon.stop()
    finally:
        daemon.clean_up()


@pytest.mark.backends("postgres", "mysql")
def test_an_unreachable_database_is_waited_for_with_a_sentence(
    project: Project, daemon: Daemon, closed_url: Callable[[str], str]
) -> None:
    project.url = closed_url(project.url)
    daemon.start()

    reason = daemon.wait_event("ledger.lost")["reason"]

    assert reason.startswith('database "default" (')
    assert ", 127.0.0.1:9) does not answer (" in reason
    assert reason.endswith("): start it or put its settings right")
    assert _tracebacks(daemon) == []


@pytest.fixture
def closed_url() -> Callable[[str], str]:
    """Return a function that points a URL to a port where nothing listens (discard)."""

    def close(url: str) -> str:
        head, _, tail = url.rpartition("@")
        return f"{head}@127.0.0.1:9/{tail.partition('/')[2]}"

    return close


def test_a_note_that_no_database_takes_is_kept_without_what_it_does_not_take(project: Project, daemon: Daemon) -> None:
    """The job runs on, and its row shows the rest of the note."""
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "tests.process.probes.project_settings"
    project.add_job("noted", target="tests.process.probes.jobs.write_odd_note")
    daemon.start()
    daemon.wait_state("noted", "RUNNING", WITHIN_S)
    eventually(lambda: daemon.slot("noted")["note"], WITHIN_S, "the note")

    project.edit_job("noted", enabled=False)

    ended = project.runs.filter(job_name="noted").exclude(ended=None)
    eventually(ended.exists, WITHIN_S, "the run's end")
    assert ended.get().note.replace("?", "\N{REPLACEMENT CHARACTER}").startswith("before\N{REPLACEMENT CHARACTER}after")
    assert daemon.events("ledger.set_aside") == []
    assert _tracebacks(daemon) == []


def test_a_name_of_200_characters_is_refused_in_the_form(project: Project) -> None:
    job = Job(name="n" * 200, target=f"{BAD_JOBS}.idle")

    with pytest.raises(ValidationError) as caught:
        job.full_clean(validate_unique=False, validate_constraints=False)

    assert caught.value.message_dict["name"] == ["name has 200 characters, more than 100: shorten it."]


@pytest.mark.backends("sqlite")
def test_a_name_of_200_characters_that_got_into_a_row_parks_it(project: Project, daemon: Daemon) -> None:
    """SQLite alone keeps what is longer than its column."""
    project.add_job("idle")
    project.jobs.create(name="n" * 200, target=f"{BAD_JOBS}.idle")
    long = project.jobs.exclude(name="idle").get()

    daemon.start()

    parked = daemon.wait_state(f"{'n' * 60}-id-{long.pk}", "PARKED", WITHIN_S)
    assert parked["reason"] == "name has 200 characters, more than 100: shorten it."
    daemon.wait_state("idle", "RUNNING", WITHIN_S)
    eventually(lambda: project.jobs.get(pk=long.pk).problem == parked["reason"], WITHIN_S, "the problem on the row")


@pytest.mark.backends("any")
def test_every_verb_tells_settings_that_cannot_be_used_in_a_sentence(project: Project) -> None:
    project.settings["POLL_SECONDS"] = "often"

    for words in (("status",), ("restart", "--all"), ("once", "idle"), ("shutdown",)):
        done = project.manage("workerd", *words)

        assert done.returncode == 1, words
        assert done.stderr.startswith(
            "WORKERD[\"POLL_SECONDS\"] is 'often', not a number of seconds from 0.01 to 3600. "
        )
        assert "Traceback" not in done.stderr


@pytest.mark.backends("any")
def test_a_verb_that_is_none_lists_those_for_people(project: Project) -> None:
    done = project.manage("workerd", "stauts")

    assert done.returncode == 2
    assert "status" in done.stderr
    assert "forkserver" not in done.stderr


@pytest.mark.backends("any")
def test_the_internal_verb_is_no_persons(project: Project) -> None:
    done = project.manage("workerd", "forkserver", "--channel", "5")

    assert done.returncode == 2
    assert "invalid choice: 'forkserver'" in done.stderr

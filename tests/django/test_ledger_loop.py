"""The ledger as a process of its own, spoken to over its channel as the daemon does."""

import json
import os
import select
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.harness.project import JOBS_SETTINGS
from tests.harness.waiting import eventually
from workerd.models import Job, Node, Run, Slot
from workerd.wire.channel import Channel
from workerd.wire.messages import (
    Acknowledged,
    DatabaseConnected,
    DatabaseLost,
    DatabaseRecovered,
    Drain,
    Drained,
    JobChanged,
    JobsListed,
    Message,
    Record,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

BORN = 1_760_000_000.25
WITHIN_S = 30.0
IDENTITY = {"key": str(uuid.uuid4()), "life": str(uuid.uuid4())}
"""Every ledger of a test is one daemon's."""
PROGRAM = """
import json, os, sys
from django.conf import settings
database = settings.DATABASES["default"]
database.update(json.loads(os.environ["LEDGER_DATABASE"]))
database.setdefault("OPTIONS", {}).update(json.loads(os.environ["LEDGER_OPTIONS"]))
import django
django.setup()
from workerd.ledger.main import run_ledger
from workerd.wire.channel import Channel
from workerd.wire.messages import License
from workerd.wire.page import HeartbeatPage
license = License({}, 0, "run", 1, "shop", "host-1", "mark", **json.loads(os.environ["LEDGER_IDENTITY"]))
sys.exit(run_ledger(Channel.from_descriptor(int(sys.argv[1])), HeartbeatPage(int(sys.argv[2])), license))
"""


@dataclass
class LedgerProcess:
    """A running ledger and the daemon's end of its channel."""

    process: subprocess.Popen[bytes]
    channel: Channel
    sequence: int = 0

    def put(self, kind: str, key: str, row: dict[str, Any] | None) -> int:
        self.sequence += 1
        self.channel.send(Record(self.sequence, kind, key, self.sequence, row))
        return self.sequence

    def put_run(self, key: uuid.UUID, **values: Any) -> int:
        row = {"job_name": "mail", "slot": "mail", "index": 0, "generation": 1, "pid": 42, "born": BORN, **values}
        return self.put("run", str(key), row)

    def hear(self, cls: Any, within: float = WITHIN_S) -> Any:
        """Return the next message of this class, passing over others; fails at the deadline or at the end."""
        deadline = time.monotonic() + within
        while select.select([self.channel], [], [], max(0.0, deadline - time.monotonic()))[0]:
            message, _ = self.channel.receive()
            assert message is not None, f"the ledger ended before it said {cls}"
            if isinstance(message, cls):
                return message
        raise AssertionError(f"no {cls} within {within} s")

    def hear_acknowledged(self, sequence: int) -> None:
        while self.hear(Acknowledged).sequence < sequence:
            pass

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WITHIN_S)

    def end(self, within: float = WITHIN_S) -> int:
        self.channel.close()
        return self.process.wait(within)


Start = Callable[..., LedgerProcess]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def start(state_dir: Path) -> Iterator[Start]:
    """Return a function that starts a ledger on the test's database."""
    started: list[LedgerProcess] = []

    def start_ledger(options: dict[str, Any] | None = None, **database: Any) -> LedgerProcess:
        ours, theirs = Channel.pair()
        page = os.memfd_create("page")
        os.ftruncate(page, 4096)
        env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": JOBS_SETTINGS,
            "LEDGER_DATABASE": json.dumps({"NAME": str(connection.settings_dict["NAME"]), **database}),
            "LEDGER_OPTIONS": json.dumps(options or {}),
            "LEDGER_IDENTITY": json.dumps(IDENTITY),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "WORKERD_STATE_DIR": str(state_dir),
            "WORKERD_SETTINGS": json.dumps({"POLL_SECONDS": 0.05}),
        }
        argv = [sys.executable, "-c", PROGRAM, str(theirs.fileno()), str(page)]
        with (state_dir / "log").open("ab") as log:
            process = subprocess.Popen(argv, pass_fds=(theirs.fileno(), page), env=env, stdout=log, stderr=log)
        theirs.close()
        os.close(page)
        started.append(LedgerProcess(process, ours))
        return started[-1]

    yield start_ledger
    for ledger in started:
        ledger.kill()
        ledger.channel.close()
    print((state_dir / "log").read_text())


class Hidden:
    """While inside, workerd's tables have other names: an unmigrated database, made and mended at once."""

    TABLES = ("workerd_node", "workerd_slot", "workerd_run", "workerd_job")

    def __enter__(self) -> None:
        self.rename("", "_hidden")

    def __exit__(self, *_: object) -> None:
        self.rename("_hidden", "")  # the jobs come back last: what a poll tells, a whole database tells

    def rename(self, before: str, after: str) -> None:
        with connection.cursor() as cursor:
            for table in self.TABLES:
                cursor.execute(f"ALTER TABLE {table}{before} RENAME TO {table}{after}")


@pytest.fixture
def hidden() -> Hidden:
    return Hidden()


def test_it_connects_tells_the_rows_and_then_each_change(start: Start) -> None:
    Job.objects.create(name="mail", command="expire_carts")
    ledger = start()

    assert ledger.hear(DatabaseConnected).vendor == connection.vendor
    assert ledger.hear(JobChanged).spec["name"] == "mail"
    assert ledger.hear(JobsListed).count == 1

    Job.objects.update(processes=3)

    assert ledger.hear(JobChanged).spec["processes"] == 3


def test_records_are_acknowledged_and_then_in_the_tables(start: Start) -> None:
    ledger, key = start(), uuid.uuid4()
    ledger.put("node", "node", {"daemon_pid": 5, "workerd_version": "0.1.0", "generation": 1, "started": BORN})
    ledger.put("slot", "mail\n0", {"job_name": "mail", "index": 0, "name": "mail", "state": "RUNNING"})
    ledger.hear_acknowledged(ledger.put_run(key, outcome="finished"))

    (run,) = eventually(lambda: list(Run.objects.filter(pk=key)), WITHIN_S, "the run")
    assert run.outcome == "finished"
    (slot,) = eventually(lambda: list(Slot.objects.all()), WITHIN_S, "the slot")
    (node,) = eventually(lambda: list(Node.objects.filter(daemon_pid=5)), WITHIN_S, "the node")
    assert slot.node_id == node.pk


def test_it_ends_when_the_daemon_is_gone(start: Start) -> None:
    ledger = start()
    ledger.hear(JobsListed)

    assert ledger.end() == 0


def test_drain_writes_everything_answers_and_ends(start: Start) -> None:
    ledger = start()
    keys = [uuid.uuid4() for _ in range(700)]
    for key in keys:
        ledger.put_run(key)
    ledger.channel.send(Drain())

    assert ledger.hear(Drained).left == 0
    assert ledger.process.wait(WITHIN_S) == 0
    assert Run.objects.count() == 700


def test_an_unmigrated_database_is_waited_for_and_said_once(start: Start, hidden: Hidden) -> None:
    Job.objects.create(name="mail", command="expire_carts")
    with hidden:
        ledger = start()
        reason = ledger.hear(DatabaseLost).reason

    assert reason.startswith('database "default" (')
    assert "is not migrated (" in reason
    assert 'run "manage.py migrate --database default"' in reason
    assert ledger.hear(DatabaseConnected).version.startswith(connection.display_name)
    assert ledger.hear(JobChanged).spec["name"] == "mail"


def test_what_was_journalled_in_an_outage_is_caught_up(start: Start, hidden: Hidden) -> None:
    ledger = start()
    ledger.hear(JobsListed)
    keys = [uuid.uuid4() for _ in range(50)]
    with hidden:
        ledger.hear(DatabaseLost)
        for key in keys:
            ledger.put_run(key)
        ledger.hear_acknowledged(50)
    recovered = ledger.hear(DatabaseRecovered)

    assert recovered.caught_up == 50
    assert set(Run.objects.values_list("pk", flat=True)) == set(keys)


def test_a_ledger_killed_in_an_outage_leaves_its_records_to_the_next(start: Start, hidden: Hidden) -> None:
    first = start()
    first.hear(JobsListed)
    keys = [uuid.uuid4() for _ in range(50)]
    with hidden:
        first.hear(DatabaseLost)
        for key in keys:
            first.put_run(key)
        first.hear_acknowledged(50)
        first.kill()
        second = start()
        second.hear(DatabaseLost)

    assert second.hear(DatabaseRecovered).caught_up == 50
    assert set(Run.objects.values_list("pk", flat=True)) == set(keys)


def test_drain_before_the_first_turn_still_writes(start: Start) -> None:
    ledger = start()
    ledger.put_run(uuid.uuid4())
    ledger.channel.send(Drain())

    assert ledger.hear(Drained).left == 0
    assert Run.objects.count() == 1


def test_drain_in_an_outage_leaves_the_rest_in_the_journal_and_ends_soon(start: Start, hidden: Hidden) -> None:
    with hidden:
        ledger = start()
        ledger.hear(DatabaseLost)
        for _ in range(5):
            ledger.put_run(uuid.uuid4())
        ledger.channel.send(Drain())

        assert ledger.hear(Drained).left == 5
        assert ledger.process.wait(WITHIN_S) == 0


def test_killed_at_any_moment_every_acknowledged_record_is_in_the_end_one_row(start: Start) -> None:
    keys: list[uuid.UUID] = []
    for life in range(3):
        ledger = start()
        ledger.hear(JobsListed)
        batch = [uuid.uuid4() for _ in range(100)]
        for key in batch:
            ledger.put_run(key, note=f"life {life}")
        ledger.hear_acknowledged(100)
        keys += batch
        ledger.kill()
    last = start()
    last.hear(JobsListed)
    last.channel.send(Drain())

    assert last.hear(Drained).left == 0
    assert sorted(Run.objects.values_list("pk", flat=True)) == sorted(keys)


@pytest.mark.backends("postgres", "mysql")
def test_a_session_that_the_server_ends_is_opened_again_and_is_no_outage(start: Start) -> None:
    ledger = start()
    ledger.hear(JobsListed)
    kill_other_sessions()
    Job.objects.create(name="mail", command="expire_carts")

    assert isinstance(ledger.hear(DatabaseLost | JobChanged), JobChanged)


def kill_other_sessions() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")


@pytest.mark.backends("postgres", "mysql")
def test_a_server_that_is_not_there_is_said_with_its_place(start: Start) -> None:
    reason = start(HOST="127.0.0.1", PORT="1").hear(DatabaseLost).reason

    product = {"postgresql": "PostgreSQL", "mysql": "MySQL or MariaDB"}[connection.vendor]

    assert reason.startswith(f'database "default" ({product}, 127.0.0.1:1) does not answer (')
    assert reason.endswith(": start it or put its settings right")


@pytest.mark.backends("sqlite")
def test_a_locked_file_is_not_an_outage(start: Start) -> None:
    ledger, key = start(options={"timeout": 0.05}), uuid.uuid4()
    ledger.hear(JobsListed)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        ledger.hear_acknowledged(ledger.put_run(key))
        time.sleep(0.5)  # how long it is locked is what is tried
        cursor.execute("COMMIT")

    assert eventually(lambda: Run.objects.filter(pk=key).exists(), WITHIN_S, "the run")

    ledger.channel.send(Drain())
    heard: list[Message] = []
    while (message := ledger.channel.receive()[0]) is not None:
        heard.append(message)

    assert [type(message).__name__ for message in heard if isinstance(message, DatabaseLost)] == []


@pytest.mark.backends("sqlite")
def test_without_a_disk_for_the_journal_records_are_acknowledged_when_the_database_has_them(
    start: Start, state_dir: Path
) -> None:
    (state_dir / "shop.journal").mkdir()
    ledger, key = start(), uuid.uuid4()
    ledger.hear_acknowledged(ledger.put_run(key))

    assert Run.objects.filter(pk=key).exists()

"""``workerd.testing``: a job runs in a test as in its child, in its transaction, and leaves nothing behind."""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management.base import CommandError
from django.db import connection
from django.test import TestCase, TransactionTestCase, override_settings

from shop.models import Cart
from workerd.testing import Clock, JobFailedError, JobRefusedError, StopIgnoredError, run_job
from workerd.wire.words import Outcome

from . import tested_jobs as jobs

WORKERD = {"TARGETS": ["tests.django.tested_jobs.*"], "COMMANDS": ["sweep"], "ENV": ["SHOP_*"]}
AMPLE_S, SHORT_S = 5.0, 0.2
"""The time of a job that ends when it is asked, however late the machine; of one that does not."""


@pytest.fixture(autouse=True)
def seen(settings: Any) -> Iterator[list[Any]]:
    settings.WORKERD = {**settings.WORKERD, **WORKERD}
    jobs.seen.clear()
    yield jobs.seen
    jobs.seen.clear()


# turns and waits


@pytest.mark.django_db
def test_a_job_does_its_turns_and_is_asked_to_stop() -> None:
    clock = Clock()

    result = run_job(jobs.make_carts, turns=3, pause=60, clock=clock)

    assert (result.outcome, result.exit_code, result.exception) == (Outcome.STOPPED, 0, None)
    assert (result.turns, result.waits, clock.now) == (3, [0, 60, 60, 60], 120)
    assert result.notes == ["turn 0", "turn 1", "turn 2"]
    assert Cart.objects.count() == 3


def test_a_job_without_every_has_a_turn_after_each_wait(seen: list[Any]) -> None:
    result = run_job(jobs.wait_between, turns=2)

    assert (seen, result.turns, result.waits) == (["turn"] * 2, 2, [60, 60, 60])


def test_waits_before_and_in_a_turn_are_no_turns(seen: list[Any]) -> None:
    result = run_job(jobs.wait_within, turns=2)

    assert (seen, result.turns) == ([0, 1], 2)
    assert result.waits == [1, 1, 0, 1, 1, 1, 57, 1, 1, 1, 57]


@pytest.mark.parametrize("job", [jobs.wait_for_ever, jobs.await_stop])
def test_a_wait_without_end_is_over_with_the_request_to_stop(job: Any, seen: list[Any]) -> None:
    result = run_job(job)

    assert (seen, result.waits, result.outcome) == ([True], [None], Outcome.STOPPED)


# the database


@pytest.mark.parametrize("turns", [1, 3])
def test_the_connection_and_its_count_of_queries_are_the_tests(
    db: None, turns: int, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(turns):
        run_job(jobs.count_queries, turns=turns)


def in_one_transaction() -> None:
    connection.ensure_connection()
    before, thread = connection.connection, threading.get_ident()
    Cart.objects.create()
    run_job(jobs.count_carts, turns=2)
    run_job("tests.django.tested_jobs.count_alone")
    run_job(command="sweep")

    assert jobs.seen == [(1, thread), (2, thread), 3, (3, thread)]
    assert connection.connection is before


class InATransactionTests(TestCase):
    def test_every_kind_of_job_sees_what_the_test_has_made(self) -> None:
        assert connection.in_atomic_block

        in_one_transaction()

        assert connection.in_atomic_block

    async def test_from_a_coroutine_too(self) -> None:
        await sync_to_async(in_one_transaction)()

    async def test_a_call_in_the_loop_itself_says_what_to_write(self) -> None:
        with pytest.raises(RuntimeError, match=r"write await sync_to_async\(run_job\)"):
            run_job(jobs.make_carts)


class WithoutATransactionTests(TransactionTestCase):
    def test_every_kind_of_job_sees_what_the_test_has_made(self) -> None:
        assert not connection.in_atomic_block

        in_one_transaction()


@pytest.mark.backends("postgres", "mysql")
class SessionTests(TransactionTestCase):
    def test_no_session_outlives_its_test(self) -> None:
        connection.ensure_connection()
        before = sessions()

        run_job(jobs.count_carts)
        run_job(jobs.query_in_a_thread)

        assert jobs.seen[-1] == "asked"
        assert wait_for_sessions(before) == before


def open_files() -> list[Path]:
    return list(Path("/proc/self/fd").iterdir())


def sessions() -> int:
    """Return how many sessions the server has on this database."""
    by_vendor = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
        "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database()",
    }
    with connection.cursor() as cursor:
        cursor.execute(by_vendor[connection.vendor])
        return int(cursor.fetchone()[0])


def wait_for_sessions(count: int) -> int:
    """Return how many there are; a server takes its time to see the end of one."""
    deadline = time.monotonic() + 30
    while (found := sessions()) != count and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


# as in the child


def test_the_arguments_go_through_json(seen: list[Any]) -> None:
    run_job(jobs.take, pair=(1, 2), mapping={1: "one"})

    assert seen == [{"pair": [1, 2], "mapping": {"1": "one"}}]


@pytest.mark.parametrize(
    ("job", "kwargs", "reason"),
    [
        (jobs.take, {"day": datetime(2026, 1, 1, tzinfo=UTC)}, "kwargs is not JSON"),
        (jobs.take, {"share": float("nan")}, "kwargs holds nan, which is not JSON"),
        (jobs.make_carts, {"paus": 1}, "takes no argument “paus”"),
        (jobs.take_secret, {}, "needs the argument “secret”"),
        (jobs.take_secret, {"secret": {"$env": "HOME"}}, "“HOME”, which is not allowed or not set"),
        (os.system, {}, "“posix.system” is not a job that the project allows"),
        ("shop.jobs.no_such", {}, "is not a job that the project allows"),
        ("", {}, "target"),
    ],
)
def test_what_the_child_would_refuse_is_refused(job: Any, kwargs: dict[str, Any], reason: str) -> None:
    with pytest.raises(JobRefusedError, match=reason):
        run_job(job, **kwargs)
    result = run_job(job, raises=False, **kwargs)

    assert (result.outcome, result.exit_code) == (Outcome.REFUSED, 78)
    assert reason in result.refusal
    assert jobs.seen == []


@pytest.mark.parametrize("command", ["migrate", "sweep --settings=other", "sweep; rm"])
def test_a_command_line_that_a_row_could_not_have_is_refused(command: str) -> None:
    with pytest.raises(JobRefusedError):
        run_job(command=command)


def test_arguments_may_have_the_names_of_our_own(seen: list[Any]) -> None:
    result = run_job(jobs.take_turns, arguments={"turns": 7, "stop_after": "noon"}, turns=1)

    assert (seen, result.outcome) == ([(7, "noon")], Outcome.FINISHED)


def test_a_secret_is_read_masked_and_forgotten(seen: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from workerd.child.secrets import SECRETS

    monkeypatch.setenv("SHOP_KEY", "long-enough")

    result = run_job(jobs.take_secret, secret={"$env": "SHOP_KEY"})

    assert seen == ["long-enough"]
    assert result.notes == ["with ********"]
    assert not SECRETS


@pytest.mark.django_db
@pytest.mark.parametrize("token", [None, 41])
def test_a_job_has_the_token_that_it_is_given(seen: list[Any], token: int | None) -> None:
    run_job(jobs.make_carts_fenced, turns=2, token=token)

    assert (seen, Cart.objects.count()) == ([token, token], 2)


def test_a_job_knows_who_it_is(seen: list[Any]) -> None:
    due = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

    run_job(jobs.tell_all, index=1, processes=3, due=due)

    name, index, processes, found, argv, named = seen[0]
    assert (name, index, processes, found, argv) == ("tell_all", 1, 3, due, ["workerd", "once", "tell_all"])
    assert named["WORKERD_SLOT"] == "tell_all:1"
    assert named["WORKERD_DUE"] == due.isoformat()


@pytest.mark.parametrize("wrong", [{"index": 1}, {"index": -1}, {"due": datetime(2026, 1, 1)}])  # noqa: DTZ001
def test_what_no_run_could_have_is_a_value_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"index|due"):
        run_job(jobs.tell_all, **wrong)


# ends


@pytest.mark.parametrize("job", [jobs.fail, jobs.afail])
def test_what_a_job_raises_is_raised(job: Any) -> None:
    with pytest.raises(LookupError, match="no such order") as caught:
        run_job(job)
    result = run_job(job, raises=False)

    assert caught.traceback[-1].name == job.__name__
    assert (result.outcome, result.exit_code) == (Outcome.ERROR, 1)
    assert isinstance(result.exception, LookupError)


def test_a_failure_is_not_told_to_the_projects_hooks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "excepthook", lambda *found: told.append(found))

    run_job(jobs.fail, raises=False)

    assert (told, caplog.records) == ([], [])


@pytest.mark.parametrize("code", [None, 0])
def test_a_job_may_leave_well(code: int | None) -> None:
    result = run_job(jobs.leave, code=code)

    assert (result.outcome, result.exit_code) == (Outcome.FINISHED, 0)


@pytest.mark.parametrize(("code", "seen_code", "outcome"), [(3, 3, "error"), ("no", 1, "error"), (78, 78, "refused")])
def test_another_exit_code_fails_the_test(code: Any, seen_code: int, outcome: str) -> None:
    with pytest.raises(JobFailedError, match=f"“leave” has left with exit code {seen_code}"):
        run_job(jobs.leave, code=code)

    assert run_job(jobs.leave, code=code, raises=False).outcome == outcome


def test_ctrl_c_ends_the_tests_and_is_a_crash_of_the_job() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_job(jobs.interrupt)
    result = run_job(jobs.interrupt, raises=False)

    assert (result.outcome, result.exit_code) == (Outcome.CRASHED, -signal.SIGINT)


@pytest.mark.django_db
def test_a_command_runs_in_the_tests_thread_and_fails_with_its_error(seen: list[Any]) -> None:
    assert run_job(command="sweep").outcome == Outcome.FINISHED
    assert seen == [(0, threading.get_ident())]
    with pytest.raises(CommandError, match="no broom"):
        run_job(command="sweep --fail")
    assert run_job(command="sweep --fail", raises=False).exit_code == 4


def test_a_job_that_asks_for_a_successor_is_asked_to_stop() -> None:
    result = run_job(jobs.recycle, turns=10)

    assert (result.outcome, result.turns) == (Outcome.RECYCLED, 1)


@pytest.mark.parametrize("name", ["sleep", "sleep_alone"])
def test_code_without_a_context_is_interrupted(name: str, seen: list[Any]) -> None:
    result = run_job(f"tests.django.tested_jobs.{name}", stop_after=AMPLE_S / 5)

    assert (seen, result.outcome) == (["cleaned up"], Outcome.STOPPED)


@pytest.mark.parametrize(
    ("target", "where"),
    [
        (jobs.go_on, "go_on: "),  # it is at any of its lines
        (jobs.ago_on, "ago_on: await asyncio.sleep(0.001)"),
        (jobs.hang, "hang: time.sleep(3600)"),
        ("tests.django.tested_jobs.go_on_after_interrupt", "go_on_after_interrupt: time.sleep(3600)"),
    ],
)
def test_a_job_that_does_not_stop_fails_where_it_is(target: Any, where: str) -> None:
    with pytest.raises(StopIgnoredError, match=r"was asked to stop and goes on 0\.2 s later") as caught:
        run_job(target, stop_after=SHORT_S)
    result = run_job(target, stop_after=SHORT_S, raises=False)

    assert any(f"{entry.name}: {str(entry.statement).strip()}".startswith(where) for entry in caught.traceback)
    assert (result.outcome, result.exit_code) == (Outcome.KILLED, -signal.SIGKILL)
    assert "swallowed" not in jobs.seen


def test_a_process_that_the_job_forks_does_not_go_on_with_the_tests(seen: list[Any]) -> None:
    pid = os.getpid()

    run_job(jobs.fork)

    assert (seen, os.getpid()) == ([7], pid)


# what is left behind


def test_the_process_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    argv, words = sys.argv, list(sys.argv)
    before = dict(os.environ), Path.cwd(), jobs.own_signals(), list(sys.orig_argv), signal.getitimer(signal.ITIMER_REAL)
    files = len(open_files())

    run_job(jobs.change_process)
    umask = os.umask(0o022)
    os.umask(umask)

    assert sys.argv is argv
    assert (dict(os.environ), Path.cwd(), jobs.own_signals(), sys.orig_argv, (0.0, 0.0)) == before
    assert (sys.argv, umask) == (words, 0o022)
    assert len(open_files()) == files


@pytest.mark.parametrize("theirs", [0.5, 60.0])
def test_the_alarm_of_a_test_runner_goes_on(theirs: float) -> None:
    """pytest-timeout has one: where it comes sooner it acts, and otherwise it is not lengthened."""
    alarms: list[str] = []
    before = signal.signal(signal.SIGALRM, lambda *_: alarms.append("theirs"))
    signal.setitimer(signal.ITIMER_REAL, theirs)
    try:
        run_job(jobs.wait_between, stop_after=1.0)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < left <= theirs or alarms
        os.kill(os.getpid(), signal.SIGALRM)
        assert alarms
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.django_db
def test_a_job_runs_in_another_thread_too() -> None:
    outcomes: list[str] = []
    thread = threading.Thread(target=lambda: outcomes.append(run_job(jobs.wait_between).outcome))
    thread.start()
    thread.join()

    assert outcomes == ["stopped"]


def test_the_log_is_the_results_and_the_projects_handlers_still_get_theirs(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    handlers, level = list(logging.root.handlers), logging.root.level

    result = run_job(jobs.log)

    assert result.logs == [
        {"event": "orders.shipped", "count": 2, "log_level": "info"},
        {"event": "shop.detail", "log_level": "debug"},
        {"event": "3 left", "log_level": "warning", "logger": "shop"},
    ]
    assert caplog.messages == ["3 left"]
    assert capsys.readouterr() == ("", "")
    assert (logging.root.handlers, logging.root.level) == (handlers, level)


def test_pytest_gets_it_as_a_fixture() -> None:
    from workerd.testing import pytest as plugin

    assert plugin.run_job.__wrapped__() is run_job  # type: ignore[attr-defined]


@override_settings(WORKERD={})
def test_the_settings_of_the_test_hold() -> None:
    with pytest.raises(JobRefusedError, match="not a job that the project allows"):
        run_job("tests.django.tested_jobs.sleep")


def test_the_loop_of_an_async_test_is_left_as_it_was() -> None:
    async def story() -> int:
        loop: Any = asyncio.get_running_loop()
        before = len(loop._selector.get_map())
        await sync_to_async(run_job)(jobs.return_at_once)
        return len(loop._selector.get_map()) - before

    assert asyncio.run(story()) == 0

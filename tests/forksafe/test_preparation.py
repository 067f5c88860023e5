"""prepare_to_fork(): everything of ours closed, each with its event, or a refusal that says why."""

import re
from typing import Any

import pytest

from tests.harness.backends.backend import Backend
from tests.harness.backends.server import GivenServer, Server

from .conftest import RunScript, named

NETWORKED = pytest.mark.backends("postgres", "mysql")
FORK = "tests.forksafe.scripts.fork"
IN_TRANSACTION = "A transaction is open on database 'default'"


def test_every_alias_copy_and_unconfigured_alias_is_closed_with_one_event_each(
    run_script: RunScript, backend: Backend
) -> None:
    result, _ = run_script("fork:open_everything")

    assert result["closed"] == ["default", "default", "second"]
    assert result["opened"] == result["ended"]
    assert result["reasons"] == ["before_fork"]
    assert (result["left"], result["again"], result["events"]) == (0, "", 2)


def test_a_fork_inside_atomic_is_refused_before_anything_is_closed(run_script: RunScript) -> None:
    result, events = run_script("fork:in_atomic")

    assert IN_TRANSACTION in result["reason"]
    assert result["same"]
    assert result["kept"] == 7
    assert [event["level"] for event in named(events, "fork.refused")] == ["error"]


def test_a_fork_with_autocommit_off_is_refused_until_it_is_on_again(run_script: RunScript) -> None:
    reason, then = run_script("fork:autocommit_off")[0].split("|")

    assert IN_TRANSACTION in reason
    assert then == ""


@pytest.mark.backends("sqlite", "postgres", "mysql-pymysql")
def test_a_fork_in_a_transaction_begun_in_sql_is_refused(run_script: RunScript) -> None:
    reason, then = run_script("fork:raw_begin")[0]

    assert IN_TRANSACTION in reason
    assert then == ""


def test_what_before_fork_opens_is_closed_too(run_script: RunScript) -> None:
    result, _ = run_script("fork:before_fork", settings={"WORKERD": {"BEFORE_FORK": [f"{FORK}.open_second"]}})

    assert result["closed"] == ["second"]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (f"{FORK}.fail", f'{FORK}.fail of WORKERD["BEFORE_FORK"] raised ValueError: no such thing.'),
        (f"{FORK}.missing", 'WORKERD["BEFORE_FORK"] raised ImportError: Module'),
    ],
)
@pytest.mark.backends("sqlite")
def test_a_before_fork_that_fails_refuses_the_fork(run_script: RunScript, entry: str, sentence: str) -> None:
    assert sentence in run_script("fork:before_fork_fails", settings={"WORKERD": {"BEFORE_FORK": [entry]}})[0]


def test_a_close_that_raises_is_cut_off_and_refused_once_and_leaves_no_other_open(
    run_script: RunScript, backend: Backend
) -> None:
    result, _ = run_script("fork:failing_close")

    if backend.vendor == "sqlite":  # there is no socket to be left open
        assert result["reason"] == ""
    else:
        assert "could not be closed (OSError: the disk is on fire) and was cut off" in result["reason"]
    assert (result["left"], result["then"], result["works"]) == (0, "", 5)
    assert result["ended"] == ["default", "second"]


def test_a_connection_closed_behind_djangos_back_is_no_obstacle(run_script: RunScript, backend: Backend) -> None:
    assert run_script("fork:closed_behind_djangos_back")[0] == "5"


@NETWORKED
def test_a_session_that_the_server_ended_meanwhile_is_no_obstacle(run_script: RunScript) -> None:
    result, _ = run_script("fork:died_meanwhile")

    assert result == {"reason": "", "child": 5, "parent": 6}


@NETWORKED
def test_a_driver_connection_that_nobody_registered_refuses_the_fork(
    run_script: RunScript, database_server: Server | GivenServer
) -> None:
    result, _ = run_script("fork:raw_connection")

    assert f"is an open socket to the database server {database_server.address.peer} " in result["reason"]
    assert result["then"] == ""


@pytest.mark.backends("postgres-psycopg")
def test_a_connection_checked_out_of_the_pool_refuses_the_fork(
    run_script: RunScript, database_server: Server | GivenServer
) -> None:
    result, _ = run_script("fork:pool_checked_out", "pool")

    assert f"is an open socket to the database server {database_server.address.peer} " in result["reason"]
    assert (result["then"], result["works"]) == ("", 5)


@NETWORKED
@pytest.mark.parametrize("script", ["idle_thread", "busy_thread"])
def test_a_living_threads_connection_is_left_alone_named_once_and_discarded(run_script: RunScript, script: str) -> None:
    result, _ = run_script(f"fork:{script}")

    assert result["reasons"] == ["", ""]
    assert result["quick"]
    assert result["thread_after"] == result["thread"]
    assert result["answer"] == (111 if script == "busy_thread" else None)
    assert result["named"] == [f"database 'default', session {result['thread']}, of the living thread 'poller'"]
    assert result["discarded"] == [result["thread"]]
    assert result["child_is_alone"]
    assert result["parent"] == 5


@pytest.mark.backends("postgres-psycopg")
@pytest.mark.parametrize("script", ["idle_thread", "busy_thread"])
def test_a_living_threads_pooled_connection_is_left_alone(run_script: RunScript, script: str) -> None:
    result, _ = run_script(f"fork:{script}", "pool")

    assert result["reasons"] == ["", ""]
    assert result["thread_after"] == result["thread"]
    assert result["answer"] == (111 if script == "busy_thread" else None)
    assert result["child_is_alone"]


@NETWORKED
def test_strict_fork_refuses_beside_a_living_thread(run_script: RunScript) -> None:
    result, _ = run_script("fork:idle_thread", settings={"WORKERD": {"STRICT_FORK": True}})

    assert "WORKERD[\"STRICT_FORK\"] is on and other threads are alive: 'poller'." in result["reasons"][0]
    assert "A forked process would inherit the connection to database 'default'" in result["reasons"][0]


@NETWORKED
def test_what_an_ended_thread_left_is_closed(run_script: RunScript) -> None:
    result, _ = run_script("fork:ended_thread")

    assert result == {"before": 1, "reason": "", "after": 0}


@NETWORKED
def test_a_childs_garbage_collector_does_not_end_what_a_thread_left_in_its_parent(run_script: RunScript) -> None:
    result, _ = run_script("fork:ended_thread_and_hook")

    assert result == {"child": True, "parent": 5}


@pytest.mark.backends("sqlite")
def test_a_cache_is_closed_and_another_socket_named_once(run_script: RunScript) -> None:
    caches = {"default": {"BACKEND": f"{FORK}.SocketCache"}}
    result, events = run_script("fork:other_sockets", settings={"CACHES": caches})

    assert result["reasons"] == ["", "", ""]
    assert (result["closed"], result["before"]) == (True, 0)
    assert len(result["peers"]) == 1
    [event] = named(events, "socket.inherited")
    assert event["level"] == "warning"
    assert "in child_started or at its first use" in event["remedy"]


@pytest.mark.backends("sqlite")
def test_a_strict_fork_is_refused_beside_any_open_socket(run_script: RunScript) -> None:
    result, _ = run_script("fork:strict_sockets", settings={"WORKERD": {"STRICT_FORK": True}})

    assert (
        f"is an open socket to the broker of CELERY_BROKER_URL at 127.0.0.1:{result['port']}: open it in each"
        in (result["reason"])
    )
    assert result["then"] == ""


@NETWORKED
def test_a_thread_that_is_only_now_connecting_does_not_refuse_a_fork(run_script: RunScript) -> None:
    assert run_script("fork:connecting_thread")[0] == [""]


@NETWORKED
def test_connections_to_a_database_of_the_settings_are_known_before_django_connects(run_script: RunScript) -> None:
    """Whatever driver's pool they are of; one sentence for each server."""
    reason = run_script("fork:unknown_to_django")[0]

    assert re.search(r"Descriptors \d+, \d+ are open sockets to the database server ", reason)
    assert reason.count("(the database “default”), and Django does not know it") == 1


@pytest.mark.backends("sqlite")
def test_a_cache_that_does_not_close_refuses_the_fork(run_script: RunScript) -> None:
    caches = {"default": {"BACKEND": f"{FORK}.FailingCache"}}

    assert (
        "A cache (FailingCache) could not be closed: OSError: no."
        in run_script("fork:failing_cache", settings={"CACHES": caches})[0]
    )


def test_what_a_log_handler_opens_meanwhile_is_closed(run_script: RunScript) -> None:
    result: dict[str, Any] = run_script("fork:logging_to_the_database")[0]

    assert result == {"reason": "", "open": False}


@NETWORKED
def test_a_fork_from_an_event_loop_is_refused_with_a_sentence(run_script: RunScript) -> None:
    reason, then = run_script("fork:from_an_event_loop")[0].split("|")

    assert "cannot be closed from an event loop" in reason
    assert then == ""


@pytest.mark.backends("sqlite")
def test_without_structlog_set_up_events_go_to_stdlib_logging(run_script: RunScript) -> None:
    records, _ = run_script("fork:unconfigured_structlog")

    assert records[0].startswith("INFO event='connection.opened' alias='default'")


def test_preparing_leaves_no_descriptor_behind(run_script: RunScript) -> None:
    before, after = run_script("fork:descriptors")[0]

    assert after == before

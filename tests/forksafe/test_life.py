"""The events of every connection, the names of sessions, and connections that heal."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.backends.backend import Backend, Databases
from tests.harness.backends.server import GivenServer, Server

from .conftest import ROOT, RunScript, named, transport

NETWORKED = pytest.mark.backends("postgres", "mysql")


def test_every_close_names_its_reason(run_script: RunScript, backend: Backend) -> None:
    result, events = run_script("life:opened_and_closed")

    assert result["reasons"] == ["explicit", "max_age", "autocommit_changed", "exit"]
    assert result["vendor"] == backend.vendor
    assert result["ms"] > 0
    assert result["session"] or backend.vendor == "sqlite"
    assert {event["level"] for event in events} == {"info"}


@NETWORKED
def test_a_session_that_ends_with_its_thread_is_told_of(run_script: RunScript) -> None:
    assert run_script("life:collected")[0] == ["collected"]


@NETWORKED
def test_broken_sessions_are_told_apart_by_how_they_were_found(run_script: RunScript) -> None:
    assert run_script("life:broken")[0] == ["unusable", "health_check_failed", "True"]


@NETWORKED
def test_a_failed_connect_is_an_event_and_names_the_database_as_unreachable(run_script: RunScript) -> None:
    result, _ = run_script("life:failed")
    [event] = result["events"]

    assert (event["alias"], event["error"], event["level"]) == ("default", "OperationalError", "warning")
    assert "\n" not in event["message"]
    assert result["alias"] == "default"


def test_a_session_whose_set_up_fails_is_opened_failed_and_closed(run_script: RunScript) -> None:
    result, _ = run_script("life:set_up_fails")

    assert result["events"] == ["connection.opened", "connection.failed", "connection.closed"]


@pytest.mark.backends("postgres")
def test_sessions_carry_their_label_on_postgresql(run_script: RunScript) -> None:
    first, second, own = run_script("life:relabelled", name="mail-outbox")[0]

    assert first == "mail-outbox"
    assert second.startswith("price-feed:1 ")
    assert own == "the project's own"


@pytest.mark.backends("postgres-psycopg")
def test_a_pools_sessions_carry_their_label(run_script: RunScript) -> None:
    assert run_script("life:label_on_server", "pool", name="mail-outbox")[0] == "mail-outbox"


@pytest.mark.backends("mysql-pymysql")
def test_sessions_carry_their_label_where_the_mysql_driver_can(run_script: RunScript) -> None:
    assert run_script("life:label_in_driver", name="mail-outbox")[0] == ["mail-outbox", "own"]


@pytest.mark.backends("sqlite")
def test_a_backend_that_does_not_call_super_is_watched_and_closed(run_script: RunScript) -> None:
    assert run_script("life:strange_backend")[0] == {"reasons": ["before_fork"], "opened": 3, "child": 2}


@NETWORKED
def test_a_loop_that_swallows_errors_heals_after_one_query(run_script: RunScript) -> None:
    assert run_script("life:swallowed_errors")[0] == [5, 5, "error", 5, 5, "error", 5, 5]


@NETWORKED
def test_a_connection_that_met_an_error_is_closed_though_its_server_is_away(run_script: RunScript) -> None:
    assert run_script("life:closed_without_server")[0] == [None, True]


@NETWORKED
def test_a_session_ended_while_idle_costs_no_turn(run_script: RunScript) -> None:
    result, _ = run_script("life:turns")

    assert result == {"answers": [5] * 6, "sessions": 2, "reasons": ["health_check_failed"]}


@NETWORKED
def test_no_refresh_raises_whatever_has_become_of_the_session(run_script: RunScript) -> None:
    """A job that swallows the errors of its queries has nobody who swallows those of a refresh."""
    answers, _ = run_script("life:refreshes")

    assert {name: answer[0] for name, answer in answers.items()} == dict.fromkeys(answers)
    assert {name: answer[-1] for name, answer in answers.items()} == dict.fromkeys(answers, 5)


def test_a_connection_persists_until_workerds_own_age_limit(run_script: RunScript) -> None:
    assert run_script("life:old_age")[0] == ["max_age"]


@NETWORKED
@pytest.mark.parametrize("held", ["holding_a_lock", "holding_a_table", "holding_settings"])
def test_a_session_that_holds_what_a_new_one_would_not_is_kept_and_told_of_once(
    run_script: RunScript, held: str, backend: Backend
) -> None:
    lock = "advisory locks" if backend.vendor == "postgresql" else "named locks"
    words = {
        "holding_a_lock": lock,
        "holding_a_table": "temporary tables",
        "holding_settings": "settings of the session",
    }

    result, events = run_script(f"life:{held}")

    assert result == {"same": True, "kept": [words[held]]}
    assert [event["level"] for event in named(events, "connection.kept")] == ["warning"]


@pytest.mark.backends("postgres")
def test_a_session_that_listens_is_kept(run_script: RunScript) -> None:
    assert run_script("life:listening")[0] == {"same": True, "kept": ["LISTEN"]}


@NETWORKED
def test_a_job_may_keep_its_session(run_script: RunScript) -> None:
    assert run_script("life:kept_by_the_job")[0] == {"same": True, "kept": ["keep_session()"]}
    assert run_script("life:holding_nothing")[0] == {"same": False, "kept": []}


@NETWORKED
def test_a_session_that_met_an_error_is_replaced_though_it_still_answers(run_script: RunScript) -> None:
    first, *others = run_script("life:read_only")[0]

    assert first in {"InternalError", "OperationalError", "ReadOnlySqlTransaction"}
    assert others == ["written", "written"]


@pytest.mark.backends("postgres-psycopg")
def test_a_pool_whose_sessions_all_ended_costs_one_query(run_script: RunScript) -> None:
    answers = run_script("life:pool_heals", "pool")[0]

    assert answers.count("error") <= 1
    assert answers[-7:] == [5] * 7


@NETWORKED
def test_connections_opened_before_install_are_watched_too(run_script: RunScript) -> None:
    result, _ = run_script("life:installed_late", install=False)

    assert result == {"apart": True, "same": True, "discarded": True, "prepared": 1}


@NETWORKED
def test_events_tell_of_exactly_the_sessions_that_the_server_saw(
    run_script: RunScript, backend: Backend, database_server: Server | GivenServer
) -> None:
    result, _ = run_script("life:count_sessions")
    parent, opened = result["parent"], result["opened"]

    assert len(opened) == len(set(opened))
    if backend.vendor == "mysql":
        seen = set(range(result["before"] + 1, result["after"]))
        assert seen.issuperset(opened)
        assert seen == set(opened) or not database_server.throw_away  # a server that is given has other clients, too
    else:  # the first onlooker's session is in the second one's count
        assert len(opened) == result["after"] - result["before"] - 1
    assert (result["closed_twice"], result["unknown"]) == (0, [])
    still_open = result["open_by_pid"]
    assert len(still_open) == result["killed"]
    assert all(pid != parent for _, _, pid in still_open)


@NETWORKED
def test_an_absent_server_is_told_from_an_error_of_the_jobs_own(
    new_server: Callable[[], Server], backend: Backend, databases: Databases, tmp_path: Path
) -> None:
    server = new_server()
    name = {"postgresql": "postgres", "mysql": "mysql"}[backend.vendor]
    program = {
        "urls": {"default": databases.url(name, transport(backend, server, "plain"), server=server)},
        "events": str(tmp_path / "events"),
        "result": str(tmp_path / "result"),
    }
    result = _run_with_actions(program, {"stop": server.stop, "start": server.start})

    assert result == {
        "own": "",
        "killed": "",
        "at_once": "default",
        "mid_session": "default",
        "connecting": "default",
        "wrapped": "",
        "back": "5",
    }
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert len(named(events, "connection.failed")) == 1


def _run_with_actions(program: dict[str, Any], actions: dict[str, Callable[[], None]]) -> Any:
    command = [sys.executable, "-m", "tests.forksafe.runner", "life:unreachable", json.dumps(program)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'django_site'}"},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        for action in process.stdout:
            actions[action.strip()]()
            process.stdin.write("go\n")
            process.stdin.flush()
    assert process.returncode == 0
    return json.loads(Path(program["result"]).read_text())

"""Forks that nobody prepared: install() alone, in whatever starts processes."""

import re
from pathlib import Path

import pytest

from tests.harness.backends.backend import Backend

from .conftest import RunScript, named

NETWORKED = pytest.mark.backends("postgres", "mysql")


@NETWORKED
def test_a_child_discards_what_it_inherits_and_says_so_later(run_script: RunScript) -> None:
    result, _ = run_script("inherited:discarded")

    assert (result["silent"], result["apart"], result["same"]) == (True, True, True)
    assert result["events"] == result["expected"]


def test_a_childs_interpreter_exit_ends_no_session_of_its_parent(run_script: RunScript) -> None:
    assert run_script("inherited:ends_by_exit")[0] is True


@NETWORKED
def test_a_fork_inside_atomic_leaves_the_transaction_to_the_parent(run_script: RunScript) -> None:
    result, _ = run_script("inherited:in_a_transaction")

    assert result == {"child": [False, 0], "kept": 7}


@pytest.mark.parametrize("script", ["plain_processes", "process_pool", "process_executor"])
def test_multiprocessing_is_safe_with_install_alone(run_script: RunScript, script: str) -> None:
    result, _ = run_script(f"inherited:{script}")

    assert result["same"]
    assert result["rows"] == (6 if script == "plain_processes" else 8)
    assert result.get("answers", list(range(8))) == list(range(8))


@NETWORKED
def test_a_fork_that_no_hook_has_seen_discards_at_the_first_use(run_script: RunScript) -> None:
    result, _ = run_script("inherited:forked_unseen")

    for first, second in result["found"]:
        assert isinstance(first, int)
        assert first == second != result["session"]
    assert result["same"]


@NETWORKED
def test_a_child_is_cut_off_from_connections_that_django_does_not_know(run_script: RunScript) -> None:
    result, _ = run_script("inherited:other_pools")

    for answers in result["children"]:
        assert all("Error" in str(answer) for answer in answers), answers
    assert (result["parent"], result["same"]) == ([8, 8], True)


@NETWORKED
def test_the_audit_finds_no_share_in_a_session_that_was_being_opened(run_script: RunScript) -> None:
    assert run_script("inherited:half_made")[0] == 0


@NETWORKED
def test_a_backend_forgets_in_the_child_what_its_close_forgets(run_script: RunScript) -> None:
    assert run_script("inherited:state_of_a_backend")[0] == {"child": False, "parent": True, "same": True}


@NETWORKED
def test_the_tripwire_lets_a_childs_own_connection_pass(run_script: RunScript) -> None:
    result, events = run_script("inherited:reconnects_after_trip")

    assert result is True
    assert len(named(events, "connection.discarded")) == 1


@NETWORKED
def test_a_fork_in_another_thread_discards_the_main_threads_connection(run_script: RunScript) -> None:
    assert run_script("inherited:in_a_thread")[0] == {"apart": True, "same": True}


@pytest.mark.backends("postgres-psycopg")
def test_a_pool_is_left_whole_to_the_parent(run_script: RunScript) -> None:
    result, _ = run_script("inherited:inherited_pool", "pool")

    assert result == {"children": [[True, True]] * 3, "answers": [5] * 8, "pool": True}


@pytest.mark.backends("postgres-psycopg")
def test_a_fork_that_no_hook_has_seen_takes_nothing_out_of_the_pool(run_script: RunScript) -> None:
    result, _ = run_script("inherited:pool_forked_unseen", "pool")

    assert all(isinstance(number, int) for number in [*result["children"], result["parent"]]), result
    assert len({result["session"], *result["children"]}) == 4
    assert result["parent"] not in result["children"]


@NETWORKED
def test_ended_children_leave_no_session(run_script: RunScript) -> None:
    assert run_script("inherited:leftovers")[0] == 1


@pytest.mark.backends("sqlite")
def test_sqlite_in_memory_stays_the_copy_that_a_fork_makes(run_script: RunScript) -> None:
    result, _ = run_script("inherited:in_memory", urls={"default": "sqlite:///:memory:"})

    assert result == [7, 7]


@pytest.mark.backends("sqlite")
def test_without_the_guard_sqlite_loses_what_a_child_commits_into_an_open_transaction(
    run_script: RunScript, tmp_path: Path
) -> None:
    result, _ = run_script(
        "inherited:wal_unguarded", install=False, urls={"default": f"sqlite:///{tmp_path}/control.sqlite3"}
    )

    assert result["child"] == 101
    assert result["rows"] == 1


@pytest.mark.backends("sqlite")
def test_with_the_guard_a_child_of_an_open_sqlite_transaction_gets_an_error(
    run_script: RunScript, backend: Backend, tmp_path: Path
) -> None:
    result, _ = run_script("inherited:wal_guarded", urls={"default": f"sqlite:///{tmp_path}/guarded.sqlite3"})

    assert re.match(r"ForkedConnectionError: Database connection 'default' was opened in process \d+", result["child"])
    assert result["rows"] == 1

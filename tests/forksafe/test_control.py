"""The bug itself, without a race, and the same program with the guard."""

import re
from pathlib import Path
from typing import Any

import pytest

from .conftest import RunScript, named

TLS_ERRORS = re.compile(r"(?i)ssl|tls|eof|gone away|lost|closed")
NETWORKED = pytest.mark.backends("postgres", "mysql")


@NETWORKED
@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_without_the_guard_a_parent_reads_its_dead_childs_answer(run_script: RunScript, kind: str) -> None:
    result, _ = run_script("control:nothing", kind, install=False)

    assert result["shared"]
    assert bool(result["cipher"]) == (kind == "tls")
    if kind == "plain":
        assert result["answer"] == 111
    else:
        assert result["answer"] == 111 or TLS_ERRORS.search(str(result["answer"]))


@pytest.mark.backends("postgres-psycopg")
def test_close_all_alone_leaves_a_pool_shared(run_script: RunScript) -> None:
    result, _ = run_script("control:close_all_alone", "pool", install=False)

    assert result["shared"]
    assert result["answer"] == 111


@NETWORKED
def test_close_all_alone_is_right_without_a_pool(run_script: RunScript) -> None:
    result, _ = run_script("control:close_all_alone", install=False)

    assert not result["shared"]
    assert result["answer"] == 222


@NETWORKED
@pytest.mark.parametrize("kind", ["plain", "tls"])
@pytest.mark.parametrize("script", ["prepared", "installed_alone"])
def test_with_the_guard_fifty_killed_children_cost_nothing(run_script: RunScript, kind: str, script: str) -> None:
    _assert_unharmed(*run_script(f"control:{script}", kind), kind, script)


@pytest.mark.backends("postgres-psycopg")
@pytest.mark.parametrize(
    ("script", "kind"), [("prepared", "pool"), ("prepared", "pool-tls"), ("installed_alone", "pool")]
)
def test_with_the_guard_fifty_killed_children_cost_a_pool_nothing(
    run_script: RunScript, script: str, kind: str
) -> None:
    _assert_unharmed(*run_script(f"control:{script}", kind), kind, script)


def _assert_unharmed(result: dict[str, Any], events: list[dict[str, Any]], kind: str, script: str) -> None:
    assert bool(result["cipher"]) == kind.endswith("tls")
    assert (result["shared"], result["wrong"], result["lost"]) == (0, [], 0)
    assert len(named(events, "connection.discarded")) == (0 if script == "prepared" else 50)


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("script", ["sqlite_prepared", "sqlite_installed_alone"])
def test_with_the_guard_fifty_children_killed_in_a_transaction_cost_sqlite_nothing(
    run_script: RunScript, script: str, tmp_path: Path
) -> None:
    result, _ = run_script(f"control:{script}", urls={"default": f"sqlite:///{tmp_path}/rounds.sqlite3"})

    assert result == {"parent": 50, "child": 50, "lost": 0, "intact": "ok"}

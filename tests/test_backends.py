"""Several backends from one command: what the further sessions report is what the command reports."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from .harness.backends import mysql, plugin
from .harness.backends.backend import BACKENDS, Databases
from .harness.backends.choice import Choice
from .harness.backends.identity import WrongBackendError, describe
from .harness.backends.mysql import MySQLServer

ROOT = Path(__file__).resolve().parents[1]
SECOND = next((backend for backend in BACKENDS.values() if backend.vendor != "sqlite" and not backend.missing()), None)
needs_second = pytest.mark.skipif(SECOND is None, reason="no other backend than SQLite can run on this machine")


SAMPLES = "tests/harness/backends/samples.py"


def run_samples(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the samples on SQLite and the second backend."""
    assert SECOND is not None
    return run_pytest(f"--backends=sqlite,{SECOND.name}", *options, SAMPLES, **variables)


def run_pytest(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    dropped = (
        "DJANGO_",
        "DATABASE_URL",
        "WORKERD_STATE_DIR",
        "WORKERD_TEST_FOLDER",
        "WORKERD_TEST_BACKENDS",
        "PYTEST_",
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    words = ["-p", "no:randomly", "-p", "no:cacheprovider", "--color=no", *options]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=ROOT,
        env={**env, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def counts(output: str) -> dict[str, int]:
    """Return the numbers of the closing line."""
    last = output.rstrip().splitlines()[-1]
    return {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", last.rpartition(" in ")[0])}


@needs_second
@pytest.mark.slow
def test_one_closing_line_counts_every_session() -> None:
    assert SECOND is not None
    done = run_samples()

    assert done.returncode == 1
    assert counts(done.stdout) == {"failed": 1, "passed": 13, "skipped": 3, "xfailed": 2}, done.stdout
    assert f"FAILED tests/harness/backends/samples.py::test_fails_on_the_second @{SECOND.name}" in done.stdout
    assert "said before it failed" in done.stdout
    assert "for oracle, which this run does not include" in done.stdout
    assert re.search(rf"^{SECOND.name}: {SECOND.module} \S", done.stdout, re.MULTILINE)


@needs_second
@pytest.mark.slow
def test_a_session_that_breaks_down_is_a_failure() -> None:
    assert SECOND is not None
    done = run_samples("--deselect=tests/harness/backends/samples.py::test_fails_on_the_second", WORKERD_TEST_CRASH="1")

    assert done.returncode == 1
    assert f"FAILED session @{SECOND.name} - the session ended with 9" in done.stdout, done.stdout


@needs_second
@pytest.mark.slow
def test_a_failure_ends_everything_where_the_first_one_is_to() -> None:
    done = run_samples("-x")

    assert done.returncode == 1
    assert counts(done.stdout)["failed"] == 1, done.stdout
    assert "stopping after 1 failures" in done.stdout


@pytest.mark.slow
def test_a_run_that_names_nothing_is_quick_and_says_what_it_left_out() -> None:
    done = run_pytest("-o", f"testpaths={SAMPLES}")

    assert counts(done.stdout) == {"passed": 7, "skipped": 2, "deselected": 1, "xfailed": 1}, done.stdout
    others = [name for name, backend in BACKENDS.items() if name != "sqlite" and not backend.missing()]
    backends = f" and the backends {', '.join(others)}" if others else ""
    assert f"This run left out 1 slow test{backends}: `pytest --whole` runs everything." in done.stdout


@needs_second
@pytest.mark.slow
def test_what_would_do_on_any_backend_is_skipped_where_another_run_has_it() -> None:
    assert SECOND is not None
    done = run_pytest(f"--backends={SECOND.name}", "--skip-any", SAMPLES)

    assert "test_is_for_whichever_comes_first" not in done.stdout
    assert counts(done.stdout)["deselected"] == 3, done.stdout


@pytest.mark.parametrize(
    ("file", "skip_any", "is_left_out"),
    [
        ("unit/test_frames.py", True, True),
        ("unit/test_frames.py", False, None),
        ("unit/conftest.py", True, None),
        ("unit/test_seat_warden.py", True, None),
        ("django/test_models.py", True, None),
    ],
)
def test_a_file_is_not_read_of_which_nothing_would_run(file: str, skip_any: bool, is_left_out: bool | None) -> None:
    config = cast(pytest.Config, SimpleNamespace(rootpath=ROOT, option=SimpleNamespace(skip_any=skip_any)))

    assert plugin.pytest_ignore_collect(ROOT / "tests" / file, config) is is_left_out


@pytest.mark.parametrize(
    ("option", "sentence"), [("oracle", "'oracle' is none of sqlite, "), ("sqlite,", "'' is none of sqlite, ")]
)
def test_an_unknown_backend_is_told_from_the_known_ones(option: str, sentence: str) -> None:
    with pytest.raises(pytest.UsageError, match=sentence):
        Choice.of(option)


def test_a_backend_that_cannot_run_is_left_out_with_the_reason_unless_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "tests.harness.backends.backend.importlib.util.find_spec", lambda module: module == "sqlite3" or None
    )

    choice = Choice.of("auto")

    assert [backend.name for backend in choice.run] == ["sqlite"]
    assert choice.left_out["mysql-pymysql"] == "its driver PyMySQL is not installed"
    with pytest.raises(pytest.UsageError, match="mysql-pymysql cannot run here: its driver PyMySQL is not installed"):
        Choice.of("mysql-pymysql")
    with pytest.raises(pytest.UsageError, match=r"--backends=all: .* cannot run here"):
        Choice.of("all")


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        ({"vendor": "oracle"}, "sqlite: Django uses sqlite$"),
        ({"module": "other"}, "sqlite: Django uses the driver sqlite3 of "),
    ],
)
def test_a_backend_that_is_not_what_runs_is_told(claim: dict[str, str], sentence: str, databases: Databases) -> None:
    with pytest.raises(WrongBackendError, match=sentence):
        describe(dataclasses.replace(BACKENDS["sqlite"], **claim), databases)


@pytest.mark.parametrize("is_mariadb", [True, False], ids=["MariaDB", "MySQL"])
def test_a_throw_away_server_is_on_the_loopback_alone_and_lets_its_root_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_mariadb: bool
) -> None:
    """MySQL makes root@localhost alone, and opens a second protocol on every address."""
    monkeypatch.setattr(mysql, "find_server", lambda: Path("/usr/sbin/mysqld"))
    monkeypatch.setattr(mysql, "_is_mariadb", lambda _server: is_mariadb)
    monkeypatch.setattr(MySQLServer, "give_to_account", lambda *_: None)
    (tmp_path / "mysql-run").mkdir()
    command = MySQLServer(tmp_path).command()
    options = dict(word.lstrip("-").partition("=")[::2] for word in command)

    assert options["bind-address"] == "127.0.0.1"
    assert options["tmpdir"].startswith(str(tmp_path))
    if is_mariadb:
        assert "skip-name-resolve" in options
    else:
        assert options["loose-mysqlx"] == "OFF"
        assert "skip-name-resolve" not in options
        assert "CREATE USER IF NOT EXISTS root@'127.0.0.1'" in Path(options["init-file"]).read_text()

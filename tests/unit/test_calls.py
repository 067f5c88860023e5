"""What a line of each folder may do, as docs/design.md says in a table: who forks, sleeps, kills and starts threads."""

import ast
from functools import cache

import pytest

from .test_borders import PACKAGE, ROOT

CALLED_ONLY_IN = {
    "os.fork": {
        "workerd/daemon/processes/program.py",
        "workerd/forkserver/birth.py",
        "workerd/forkserver/rehearsal.py",
        "workerd/forkserver/sibling_trial.py",
    },
    "threading.Thread": {
        "workerd/exporter/lane.py",
        "workerd/ledger/receiver.py",
        "workerd/ledger/seats/fleet.py",
        "workerd/ledger/seats/warden.py",
        "workerd/notifier/runner.py",
    },
    "signal.set_wakeup_fd": {
        "workerd/child/main.py",
        "workerd/child/stopping.py",
        "workerd/daemon/io/loop.py",
        "workerd/daemon/processes/program.py",
    },
}
NEVER_CALLED_IN_THE_DAEMON = ("time.sleep", "threading.Thread", "subprocess.run", "subprocess.Popen", "os.waitpid")
SIGNALLING = ("os.kill", "os.killpg", "os.fork")
"""In the daemon, by its processes layer alone."""

CLOCKS = ("timezone.now", "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time")
"""What tells the time of the process's own machine, which may be another one than the database's."""


@cache
def calls() -> list[tuple[str, str]]:
    """Return (file, dotted name) of each call in the package that is written with a dot."""
    return [
        (str(path.relative_to(ROOT)), ast.unparse(node.func))
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]


@pytest.mark.parametrize("name", CALLED_ONLY_IN)
def test_few_files_fork_start_threads_or_wake_at_signals(name: str) -> None:
    assert {path for path, called in calls() if called == name} == CALLED_ONLY_IN[name]


def test_the_daemon_never_sleeps_and_has_one_thread() -> None:
    daemon = [(path, name) for path, name in calls() if path.startswith(("workerd/daemon/", "workerd/wire/"))]

    assert [f"{path}: {name}" for path, name in daemon if name in NEVER_CALLED_IN_THE_DAEMON] == []


def test_only_the_processes_layer_of_the_daemon_forks_and_kills() -> None:
    elsewhere = [call for call in calls() if call[0].startswith("workerd/daemon/") and "/processes/" not in call[0]]

    assert [f"{path}: {name}" for path, name in elsewhere if name in SIGNALLING] == []


def test_what_is_in_the_database_goes_by_its_clock() -> None:
    """In the ledger and on every page; the offset of a zone is the same by any clock, but for a moment."""
    places = ("workerd/ledger/", "workerd/admin/", "workerd/models/")
    found = {(path, name) for path, name in calls() if path.startswith(places) and name.endswith(CLOCKS)}

    tokens = ("workerd/ledger/seats/claims.py", "time.time")  # no time: it keeps tokens growing after a failover
    assert found == {("workerd/models/clock.py", "datetime.now"), tokens}

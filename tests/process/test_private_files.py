"""No other user of the machine reads what a daemon keeps in STATE_DIR, whatever its umask and its folder's mode are."""

import os
import signal
from contextlib import suppress

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]


def test_every_file_of_a_daemon_is_its_users_alone(project: Project, daemon: Daemon) -> None:
    project.state_dir.mkdir(mode=0o755)
    project.command = ["sh", "-c", 'umask 0 && exec "$@"', "sh", *project.command]
    project.add_job("idle")
    daemon.start()
    first = daemon.wait_state("idle", "RUNNING")["pid"]
    os.kill(first, signal.SIGKILL)
    eventually(lambda: daemon.slot("idle")["pid"] not in {first, None}, 30, "a successor")

    files = {}
    for path in project.state_dir.iterdir():
        with suppress(FileNotFoundError):  # one that is being written anew
            files[path.name] = oct(path.stat().st_mode & 0o077)

    kept = {f"{project.name}.{what}" for what in ("lock", "pid", "epoch", "sock", "processes", "journal")}
    assert kept <= files.keys()
    assert files == dict.fromkeys(files, "0o0")

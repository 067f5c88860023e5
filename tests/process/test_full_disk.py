"""Disks without room, for the log and for STATE_DIR: each passes, and what it costs is said."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.backends.server import ending_with_us
from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.harness.small_disk import make_room, small_disk
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.backends("sqlite"), pytest.mark.slow]
OWN_FAULT = 70
NO_ROOM = ["No room for a whole line"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", kib=64) as folder:
        yield folder


def test_the_log_goes_on_when_its_disk_has_room_again(project: Project, daemon: Daemon, disk: Path) -> None:
    """Without a restart, every line whole, and down to the last one."""
    path = disk / "log"
    with path.open("ab") as log:
        process = subprocess.Popen(
            ending_with_us([*project.command, "workerd", "run"]), stdout=log, env=project.env, cwd=project.folder
        )
    try:
        eventually(lambda: project.manage("workerd", "status").returncode == 0, 30, "a daemon that answers")
        project.add_job("talker", target="tests.process.bad_jobs.output.write_long_lines")
        eventually(lambda: daemon.picture()["daemon"]["log_trouble"], 30, "a log that cannot be written")
        full = events(path)
        said = project.manage("workerd", "status").stdout
        project.edit_job("talker", enabled=False)
        eventually(lambda: daemon.slot("talker")["state"] == "STOPPED", 30, "the end of the noise")
        make_room(disk, kib=64 * 1024)
        eventually(lambda: not daemon.picture()["daemon"]["log_trouble"], 30, "a log that is written")
    finally:
        process.terminate()
        process.wait(60)

    assert "log: cannot be written: No" in said
    lines = events(path)
    assert lines[: len(full)] == full
    assert lines[-1]["event"] == "daemon.stopped"
    assert [event["reason"] for event in lines if event["event"] == "log.dropped"] in ([], NO_ROOM)


def events(path: Path) -> list[dict[str, Any]]:
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    return [json.loads(line) for line in lines]


def test_no_inode_for_the_state_directory_is_worth_another_try(
    project: Project, daemon: Daemon, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "inodes", inodes=20) as folder:
        project.state_dir = folder
        made = list(fill_inodes(folder))
        done = project.manage("workerd", "run")
        for path in made:
            path.unlink()
        daemon.start()
        daemon.stop()

    assert done.returncode == OWN_FAULT
    assert "No space left on device" in done.stderr
    assert "“df -i” its inodes" in done.stderr


def fill_inodes(folder: Path) -> Iterator[Path]:
    for number in range(1000):
        path = folder / f"file-{number}"
        try:
            path.touch()
        except OSError:
            return
        yield path

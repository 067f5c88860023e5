"""Two daemons of one node: the younger takes the row, the older one ends in order, and no living run is called lost."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.harness.waiting import eventually
from workerd.wire import exit_codes

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

WITHIN_S = 40.0
NOT_COPIED = shutil.ignore_patterns("*.sock", "*.new")
"""A socket is no file, and a file that is being written may have its name no more by the time it is copied."""


@pytest.fixture
def second(project: Project, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with the name, the host and the database of the first, in another STATE_DIR; not started."""
    second = Daemon(project)
    try:
        yield second
    finally:
        if second.is_running:
            second.kill()  # its tree carries the mark of the first one's


def start_in(folder: Path, daemon: Daemon) -> None:
    """Start a daemon of the project in another STATE_DIR."""
    project = daemon.project
    before, project.state_dir = project.state_dir, folder
    try:
        daemon.start()
    finally:
        project.state_dir = before


@pytest.mark.parametrize("is_copy", [True, False], ids=["copied", "empty"])
def test_the_older_of_two_daemons_of_one_node_ends(
    project: Project, daemon: Daemon, second: Daemon, tmp_path: Path, is_copy: bool
) -> None:
    project.add_job("idle")
    daemon.start()
    older = eventually(
        lambda: project.runs.filter(pid=daemon.child_pid("idle")).first() or False, WITHIN_S, "the run's row"
    )
    if is_copy:
        shutil.copytree(project.state_dir, tmp_path / "another", ignore=NOT_COPIED)
    start_in(tmp_path / "another", second)
    younger = eventually(
        lambda: project.runs.filter(pid=second.child_pid("idle")).first() or False, WITHIN_S, "the run's row"
    )
    assert not project.runs.filter(outcome="lost").exists()
    code = daemon.wait(WITHIN_S)
    second.wait_event("node.taken_over")
    displaced, taken_over = daemon.events("node.displaced"), second.events("node.taken_over")
    eventually(lambda: project.runs.get(pk=older.pk).outcome, WITHIN_S, "the end of the older run")

    assert code == exit_codes.TRY_LATER
    assert [f"pid {second.pid}," in event["reason"] for event in displaced] == [True]
    assert [f"pid {daemon.pid}," in event["reason"] for event in taken_over] == [True]
    assert [project.runs.get(pk=run.pk).outcome for run in (older, younger)] == ["stopped", ""]
    assert project.nodes.count() == 1
    second.stop()


def test_a_node_row_that_was_deleted_by_hand_comes_back_with_all_that_the_daemon_knows(
    project: Project, daemon: Daemon
) -> None:
    project.add_job("idle")
    daemon.start()
    run = eventually(lambda: project.runs.filter(pid=daemon.child_pid("idle")).first() or False, WITHIN_S, "the run")
    before = project.nodes.get()
    project.slots.all().delete()
    project.nodes.all().delete()
    node = eventually(lambda: project.nodes.exclude(started=None).first() or False, WITHIN_S, "the row with its record")
    eventually(lambda: project.slots.filter(node=node, state="RUNNING").exists(), WITHIN_S, "the slot's row")

    assert (node.key, node.life, node.daemon_pid) == (before.key, before.life, daemon.pid)
    eventually(lambda: project.runs.get(pk=run.pk).node_id == node.pk, WITHIN_S, "the run's row, of the new node")
    assert not daemon.events("node.displaced")


def test_a_restart_at_once_with_an_empty_state_dir_is_not_held_to_be_older(project: Project, daemon: Daemon) -> None:
    """The epochs of both lives are the same minute's; the first one is killed, and leaves no word of its end."""
    project.add_job("idle")
    daemon.start()
    before = eventually(
        lambda: project.runs.filter(pid=daemon.child_pid("idle")).first() or False, WITHIN_S, "the first run"
    )
    daemon.kill()
    shutil.rmtree(project.state_dir)
    daemon.start()
    pid = daemon.child_pid("idle")
    eventually(lambda: project.runs.filter(pid=pid).exists(), WITHIN_S, "the second run")
    eventually(lambda: project.slots.filter(pid=pid).exists(), WITHIN_S, "the slot of the second life")
    node = eventually(lambda: project.nodes.filter(daemon_pid=daemon.pid).first() or False, WITHIN_S, "the node")

    assert project.nodes.count() == 1
    eventually(lambda: project.runs.get(pk=before.pk).outcome == "lost", WITHIN_S, "the end of the killed one's run")
    assert node.contested is None
    assert not daemon.events("node.taken_over"), "its process is gone, as can be seen beside it"


def test_a_daemon_that_is_restarted_displaces_nobody(project: Project, daemon: Daemon) -> None:
    project.add_job("idle")
    daemon.start()
    run = eventually(lambda: project.runs.filter(pid=daemon.child_pid("idle")).first() or False, WITHIN_S, "the run")
    key = project.nodes.get().key
    daemon.kill()
    daemon.start()
    eventually(lambda: project.runs.get(pk=run.pk).outcome == "lost", WITHIN_S, "the end of the killed daemon's run")
    daemon.stop()
    eventually(lambda: project.nodes.get().life is None, WITHIN_S, "the row that the daemon has left")

    assert project.nodes.get().key == key
    assert not daemon.events("node.taken_over")


def test_a_displaced_daemon_that_is_started_again_gives_way_until_the_other_has_ended(
    project: Project, daemon: Daemon, second: Daemon, tmp_path: Path
) -> None:
    """As a service manager does; else the two would displace each other without end."""
    daemon.start()
    start_in(tmp_path / "another", second)
    assert daemon.wait(WITHIN_S) == exit_codes.TRY_LATER
    daemon.start(ready=False)
    assert daemon.wait(WITHIN_S) == exit_codes.TRY_LATER
    assert daemon.events("node.displaced")
    assert second.is_running
    second.stop()
    daemon.start()
    eventually(lambda: project.nodes.get().daemon_pid == daemon.pid, WITHIN_S, "the row of the first")

    assert not daemon.events("node.taken_over"), "the other has left it in order"
    assert not second.events("node.displaced")


def can_unshare() -> bool:
    """Whether this process may make namespaces, as a container engine does."""
    try:
        return subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_unshare(), reason="namespaces need the rights of root")
def test_of_two_containers_with_one_image_of_state_dir_the_younger_runs(
    project: Project, daemon: Daemon, second: Daemon, tmp_path: Path
) -> None:
    """Both see their STATE_DIR at the same path, on the same boot, and no process of the other."""
    project.add_job("idle")
    image = tmp_path / "image"
    daemon.start()
    older = eventually(
        lambda: project.runs.filter(pid=daemon.child_pid("idle")).first() or False, WITHIN_S, "the run of the first"
    )
    shutil.copytree(project.state_dir, image, ignore=NOT_COPIED)
    inside = f'mount --bind {image} {project.state_dir} && exec "$@"'
    command = project.command
    project.command = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-c",
        inside,
        "sh",
    ]
    project.command += command
    second.start()
    project.command = command
    code = daemon.wait(WITHIN_S)
    eventually(lambda: project.runs.get(pk=older.pk).outcome == "stopped", WITHIN_S, "the end of the older run")

    assert code == exit_codes.TRY_LATER
    assert second.wait_event("node.taken_over")
    assert not second.events("leftovers.ended")
    assert eventually(lambda: project.runs.filter(ended=None).count() == 1, WITHIN_S, "one run")

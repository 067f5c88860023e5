"""What a row gives its processes arrives there, and nowhere else."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]

JOBS = "tests.process.probes.jobs"
START_S = 60.0


@pytest.fixture
def probes(project: Project) -> Project:
    project.extra_env = {"DJANGO_SETTINGS_MODULE": "tests.process.probes.settings", "SERVICE_QUEUE": "of the service"}
    project.settings |= {"COMMANDS": ["shard"], "TARGETS": [f"{JOBS}.*", "needs_it.*"], "ENV": ["SERVICE_*"]}
    return project


def shown_by(daemon: Daemon, slot: str, count: int = 1) -> dict[str, Any]:
    """Return what the newest of ``count`` processes of the slot has said of itself."""
    said = daemon.wait_events("child.output", count, slot=slot, within=START_S, line=lambda line: line.startswith("{"))
    return dict(json.loads(said[-1]["line"]))


def test_a_target_gets_what_its_row_says_and_a_job_without_gets_the_services(
    probes: Project, daemon: Daemon, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    target = f"{JOBS}.show_surroundings"
    given: dict[str, Any] = {"environment": {"QUEUE": "mail"}, "working_directory": str(place), "umask": "077"}
    probes.add_job("given", target=target, processes=2, **given)
    probes.add_job("plain", target=target)
    probes.add_job("timed", target=target, schedule="@yearly", restart="never", **given)
    daemon.start(within=START_S)
    daemon.ask({"verb": "trigger", "names": ["timed"]})

    ours = {"QUEUE": "mail", "directory": str(place), "umask": "077"}
    assert [shown_by(daemon, slot) for slot in ("given:0", "given:1", "timed")] == [ours] * 3
    plain = shown_by(daemon, "plain")
    assert (plain["QUEUE"], plain["umask"] == "077", Path(plain["directory"]) == place) == (None, False, False)
    assert (place / "made-1").stat().st_mode & 0o777 == 0o600

    probes.edit_job("given", umask="027", environment={"QUEUE": {"$env": "SERVICE_QUEUE"}})

    changed = shown_by(daemon, "given:1", count=2)
    assert (changed["umask"], changed["QUEUE"]) == ("027", "********"), "printed, a value of the service's is masked"


def test_a_command_gets_them_and_its_numbers_and_so_does_what_it_starts(
    probes: Project, daemon: Daemon, tmp_path: Path
) -> None:
    row: dict[str, Any] = {"environment": {"QUEUE": "mail"}, "working_directory": str(tmp_path), "restart": "never"}
    probes.add_job("shard", command="shard --part {index} --of {processes}", processes=3, **row)
    daemon.start(ready=False, within=START_S)

    for index in range(3):
        words = ["shard", "--part", str(index), "--of", "3"]
        found = shown_by(daemon, f"shard:{index}")
        assert found == {"part": [index, 3], "argv": words, "directory": str(tmp_path)}
        daemon.wait_event("child.output", slot=f"shard:{index}", within=START_S, line=f"mail from {tmp_path}")
    once = probes.manage("workerd", "once", "shard").stdout.splitlines()
    assert json.loads(once[0])["argv"] == ["shard", "--part", "0", "--of", "3"]
    assert f"mail from {tmp_path}" in once


def test_a_directory_that_goes_is_named_and_the_job_runs_once_it_is_back(
    probes: Project, daemon: Daemon, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    backoff: dict[str, Any] = {"backoff_initial": 0.05, "backoff_max": 0.05}
    probes.add_job("here", target=f"{JOBS}.show_surroundings", working_directory=str(place), **backoff)
    daemon.start(within=START_S)
    first = daemon.wait_state("here", "RUNNING")
    place.rename(tmp_path / "away")
    daemon.ask({"verb": "restart", "names": ["here"]})

    ended = daemon.wait_event("child.exited", slot="here", within=START_S, outcome="error")
    sentence = f"working_directory is “{place}”, which cannot be entered (No such file or directory)"
    assert sentence in ended["reason"]
    assert sentence in probes.manage("workerd", "check").stdout
    once = probes.manage("workerd", "once", "here")
    assert (once.returncode, sentence in once.stderr) == (1, True)

    (tmp_path / "away").rename(place)
    eventually(lambda: daemon.slot("here")["state"] == "RUNNING", START_S, what="the job's next process")
    assert daemon.slot("here")["pid"] != first["pid"]


def test_code_that_needs_the_environment_of_its_row_loads_in_a_reload_and_for_that_row_alone(
    probes: Project, daemon: Daemon
) -> None:
    write_module(
        probes,
        "needs_it",
        """
import os
QUEUE = os.environ["QUEUE"]
def work():
    print("queue", QUEUE, flush=True)
    import time
    time.sleep(3600)
""",
    )
    for queue in ("mail", "feed"):
        probes.add_job(queue, target="needs_it.work", environment={"QUEUE": queue})
    daemon.start(within=START_S)
    for queue in ("mail", "feed"):
        daemon.wait_event("child.output", slot=queue, within=START_S, line=f"queue {queue}")

    assert daemon.ask({"verb": "reload"}, within=60)["ok"]

    for queue in ("mail", "feed"):
        daemon.wait_events("child.output", 2, slot=queue, within=START_S, line=f"queue {queue}")
    assert daemon.faults() == []

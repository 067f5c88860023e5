"""What processes use, under a running daemon: measured, kept over its end, and brought to the rows of slot and run."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.harness.waiting import eventually
from workerd.wire.curves import run_curve, slot_curve
from workerd.wire.recent_memory import read_recent
from workerd.wire.samples import Sample

pytestmark = pytest.mark.slow
WITHIN_S = 60.0
LIMIT_MIB = 32


@pytest.fixture
def project(project: Project) -> Project:
    """A project whose daemon measures each second, and brings the samples to the rows each six seconds."""
    project.settings["SAMPLE_SECONDS"] = 1
    return project


def path_of(project: Project) -> Path:
    return project.state_dir / f"{project.name}.samples"


def wait_for(project: Project, name: str, is_so: Callable[[list[Sample]], bool], what: str) -> list[Sample]:
    """Return the slot's curve as the database has it, once it is so."""
    found: list[Sample] = []

    def look() -> bool:
        slot = project.slots.filter(name=name).first()
        found[:] = slot_curve(slot.samples, time.time()) if slot is not None else []
        return bool(found) and is_so(found)

    eventually(look, WITHIN_S, what)
    return found


def test_samples_survive_a_daemon_that_is_killed(project: Project, daemon: Daemon) -> None:
    project.add_job("idle")
    daemon.start()
    before = wait_for(project, "idle", lambda found: len(found) >= 4, "samples in the slot's row")
    daemon.kill()
    daemon.start()
    second = lambda found: sum(one.is_first for one in found) == 2 and found[-1].time > before[-1].time + 3  # noqa: E731
    after = wait_for(project, "idle", second, "samples of the next daemon, after those of the first")

    assert [one for one in after if one.time < before[-1].time] == before[:-1]
    assert all(one.memory is not None and one.threads == 1 and one.descriptors for one in after)
    assert path_of(project).stat().st_mode & 0o777 == 0o600
    slot = daemon.slot("idle")
    assert slot["threads"] == 1
    assert slot["descriptors"] > 0
    assert slot["processor_s"] >= 0
    recent = read_recent(project.slots.get(name="idle").recent_memory)
    assert recent is not None
    assert recent.began == after[0].time
    daemon.stop()


def test_a_run_has_its_memory_to_the_end_and_a_cut_file_ends_nothing(project: Project, daemon: Daemon) -> None:
    project.add_job("idle")
    project.add_job("eat", kwargs={"mib": 100, "step": 1, "every": 0.4}, max_memory=LIMIT_MIB, stop_timeout=1)
    daemon.start()
    end = daemon.wait_event("child.exited", within=WITHIN_S, job="eat", outcome="over_memory")
    rows = project.runs.filter(pk=end["run"]).exclude(ended=None)
    [run] = eventually(lambda: list(rows.all()), WITHIN_S, "the run's end")
    os.truncate(path_of(project), 5000)
    wait_for(project, "idle", lambda found: found[-1].time > time.time() - 20, "samples after the cut")
    project.edit_job("eat", enabled=False)

    curve = run_curve(run.samples, time.time())
    memory = [one.memory / 1024 for one in curve if one.memory is not None]
    assert LIMIT_MIB < memory[-1] < 1.5 * LIMIT_MIB, "the last one is what it was ended for"
    assert memory[0] < LIMIT_MIB / 2
    assert len(memory) >= 4
    assert daemon.events("samples.stopped") == []
    assert not daemon.faults()
    daemon.stop()

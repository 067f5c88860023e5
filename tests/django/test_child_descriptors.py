"""Nothing of workerd's is ever written to a descriptor that is another file's by now."""

import json
from pathlib import Path

import pytest

from workerd.wire.messages import BecameReady, Failed, Loaded, RecycleAsked

from .test_child_run import JobRun, run, runner

__all__ = ["run", "runner"]

pytestmark = pytest.mark.backends("sqlite")

MODULE = "tests.django.descriptor_jobs"


@pytest.mark.parametrize("first", [0, 1, 3])
def test_no_socket_of_the_jobs_gets_what_is_ours(run: JobRun, tmp_path: Path, first: int) -> None:
    file = tmp_path / "told"
    child = run(target=f"{MODULE}.close_descriptors", kwargs={"first": first, "file": str(file)})
    code = child.end()
    told = json.loads(file.read_text())

    assert told == {"stopped": True, "received": [], "fork": 0, "lowest": first}
    assert code == 1
    assert child.messages == [Loaded()]


def test_what_closes_only_low_descriptors_is_heard_as_ever(run: JobRun, tmp_path: Path) -> None:
    """As a library that closes "all" 256 descriptors, which leaves stdout and stderr as they are."""
    file = tmp_path / "told"
    child = run(target=f"{MODULE}.close_descriptors", kwargs={"first": 3, "last": 256, "file": str(file)})
    child.end()

    assert json.loads(file.read_text())["received"] == []
    assert [type(message) for message in child.messages] == [Loaded, BecameReady, RecycleAsked, Failed]
    assert [event["event"] for event in child.events] == ["logged", "structured"] * 3 + ["job.failed"]
    assert "printed" in child.printed
    assert any("_write_everywhere" in line for line in child.printed), "the stack"


def test_rendered_lines_do_not_need_the_streams(run: JobRun) -> None:
    child = run(target=f"{MODULE}.close_its_streams")

    assert child.end() == 0
    assert [event["event"] for event in child.events] == ["logged", "structured"]


def test_rendered_lines_go_by_stdout_where_they_have_nothing_else(run: JobRun) -> None:
    child = run(target=f"{MODULE}.close_all_but_its_streams")

    assert child.end() == 0
    assert (child.printed, [event["event"] for event in child.events]) == (["printed"], ["logged"])


def test_what_cannot_be_written_to_in_the_place_of_stdout_costs_the_print_alone(run: JobRun) -> None:
    child = run(target=f"{MODULE}.have_what_only_reads_for_stdout")

    assert child.end() == 0
    assert (child.printed, [event["event"] for event in child.events]) == ([], ["logged"])


def test_a_file_in_the_place_of_stdout_gets_prints_alone(run: JobRun, tmp_path: Path) -> None:
    file = tmp_path / "own.log"
    child = run(target=f"{MODULE}.send_its_streams_elsewhere", kwargs={"file": str(file)})

    assert child.end() == 0
    assert file.read_text() == "printed\n"
    assert (child.printed, child.events) == (["to stderr"], [])

"""A child ends as plain Python does: threads, executors, exit functions, forks, streams, exit codes."""

import tempfile

import pytest

from workerd.wire.messages import Loaded

from .end_stories import STORIES
from .test_child_run import Child, JobRun, run, run_plainly, runner

__all__ = ["run", "runner"]

pytestmark = [pytest.mark.backends("sqlite"), pytest.mark.slow]

MODULE = "tests.django.end_stories"


def said(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(">")]


@pytest.mark.parametrize("story", STORIES)
def test_a_child_ends_as_plain_python_does(run: JobRun, story: str) -> None:
    plain = run_plainly(MODULE, story)

    child: Child = run(target=f"{MODULE}.{story}")
    code = child.end()

    shown = (plain.stdout + plain.stderr).splitlines()
    assert (code, said(child.said)) == (plain.returncode, said(shown))
    assert child.messages[:1] == [Loaded()]


def test_the_end_of_a_fork_is_not_the_job_s(run: JobRun) -> None:
    child = run("announced_fork", name="announced")

    assert child.end() == 0
    assert child.printed == ["started run-1", "fork: 4", "stopping 0"]


def test_what_the_load_made_is_not_ended_by_a_child(run: JobRun) -> None:
    child = run("find_folder_of_the_load")

    assert child.end() == 0
    assert run("find_folder_of_the_load").end() == 0
    assert child.printed == [f"True {tempfile.gettempdir()}"]


def test_an_exit_function_of_the_load_runs_in_each_child(run: JobRun) -> None:
    for index in range(2):
        child = run("say_goodbye_later", index=index)
        assert child.end() == 0
        assert child.printed == ["goodbye"]

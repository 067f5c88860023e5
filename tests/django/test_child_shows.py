"""A child shows what plain Python shows, whoever configures logging, in whatever way the process ends."""

import pytest

from .output_stories import STORIES
from .test_child_run import Child, JobRun, run, run_plainly, runner

__all__ = ["run", "runner"]

pytestmark = pytest.mark.backends("sqlite")

MODULE = "tests.django.output_stories"


def shown(lines: list[str]) -> list[str]:
    """Return what stands behind each ``>``; the two streams have no common order. Indented is the code in tracebacks.

    What nobody caught is left out: in a child it is the event ``job.failed``, whatever the hook prints.
    """
    texts = [text.strip() for line in lines if not line.startswith(" ") for text in line.split("> ")[1:]]
    return sorted(text for text in texts if text != "nobody catches this")


@pytest.mark.parametrize("story", STORIES)
def test_a_child_shows_what_plain_python_shows(run: JobRun, story: str) -> None:
    plain = run_plainly(MODULE, story)

    child: Child = run(target=f"{MODULE}.{story}")
    code = child.end()

    expected = shown(f"{plain.stdout}\n{plain.stderr}".split("\n"))
    assert (code, shown(child.said)) == (plain.returncode, expected)


@pytest.mark.parametrize("story", [story for story in STORIES if "hook_of_exceptions" in story])
def test_what_nobody_caught_is_told_once(run: JobRun, story: str) -> None:
    child = run(target=f"{MODULE}.{story}")

    assert child.end() == 1
    assert [event["event"] for event in child.events] == ["job.failed"]
    assert child.said.count("ValueError: > nobody catches this") == 1


def test_each_record_has_its_level(run: JobRun) -> None:
    child = run(target=f"{MODULE}.a_package_configures_by_dictionary")

    assert child.end() == 0
    assert [(event["logger"], event["level"]) for event in child.events] == [
        *(("uvicorn.access", level) for level in ("info", "warning", "error", "critical")),
        *(("uvicorn.error", level) for level in ("warning", "error", "critical")),
    ]


def test_each_print_has_its_stream(run: JobRun) -> None:
    child = run(target=f"{MODULE}.printed_to_both")

    assert child.end() == 0
    assert [text.decode() for text in child.streams] == ["> out\n> raw out\n", "> error\n> raw error\n"]


def test_an_outage_is_no_error_to_the_project_nor_uncaught(run: JobRun) -> None:
    child = run(target=f"{MODULE}.waits_for_a_database")

    assert child.end() == 1
    assert child.failed.outage == "the database is unreachable"
    assert [(event["event"], event["level"]) for event in child.events] == [
        ("connection.failed", "warning"),
        ("job.failed", "warning"),
    ]
    assert shown(child.said) == ["heard: WARNING workerd.child", "heard: WARNING workerd.forksafe"]


def test_a_command_error_never_meets_the_hook(run: JobRun) -> None:
    child = run(target=f"{MODULE}.a_command_error_never_meets_the_hook")

    assert (child.end(), child.printed) == (5, [])

"""The log of the daemon has what plain Python shows of a job: no line more, and none less."""

import pytest

from tests.django.output_stories import STORIES
from tests.django.test_child_run import run_plainly
from tests.django.test_child_shows import shown
from tests.harness.daemon import Daemon
from tests.harness.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]

MODULE = "tests.django.output_stories"


def test_the_log_has_what_plain_python_shows(project: Project, daemon: Daemon) -> None:
    project.settings["TARGETS"] = [f"{MODULE}.*"]
    for story in STORIES:
        project.add_job(story, target=f"{MODULE}.{story}", restart="never")
    daemon.start()

    for story in STORIES:
        daemon.wait_event("child.exited", job=story, within=60)
        plain = run_plainly(MODULE, story)
        expected = shown(f"{plain.stdout}\n{plain.stderr}".split("\n"))
        assert (story, shown(said_by(daemon, story))) == (story, expected)
    assert daemon.faults() == []


def said_by(daemon: Daemon, job: str) -> list[str]:
    """Return the lines that the job has printed, those of its records, and those of their tracebacks."""
    events = daemon.events(job=job)
    texts = [str(event.get("line") or f"{event['event']}\n{event.get('exception', '')}") for event in events]
    return [line for text in texts for line in text.split("\n")]

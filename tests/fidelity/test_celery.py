"""Celery's worker and beat as jobs, by the functions that docs/moving.md has one write."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import ROOT

from .run import END_WITHIN_S, work_in_hand
from .stage import Stage
from .test_fidelity import watched

LOADED_WITHIN_S = 60.0
SLOTS = ("worker:0", "worker:1", "beat")

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]


def functions_of_the_page() -> str:
    page = (ROOT / "docs" / "moving.md").read_text()
    return page.partition("<!-- celery -->\n```python\n")[2].partition("```")[0]


def test_they_start_by_their_targets_and_end_as_celery_ends(
    new_stage: Callable[[str, str], AbstractContextManager[Stage]],
) -> None:
    with new_stage("celery", "targets") as stage, watched(Daemon(stage.project)) as daemon:
        project = stage.project
        write_module(project, "queues", functions_of_the_page().replace("project.celery", "tests.fidelity.site.tasks"))
        project.extra_env["PYTHONPATH"] += f":{ROOT / 'django_site'}"
        project.settings["TARGETS"] = ["queues.*"]
        daemon.start()
        project.add_job("beat", target="queues.beat")
        project.add_job("worker", target="queues.worker", processes=2, stop_timeout=END_WITHIN_S)
        daemon.wait_state("beat", "RUNNING", LOADED_WITHIN_S)

        with work_in_hand(stage, lambda: not daemon.events("child.exited")):
            daemon.ask({"verb": "stop", "names": ["worker", "beat"]}, END_WITHIN_S)
            ends = [daemon.wait_event("child.exited", within=END_WITHIN_S, slot=slot) for slot in SLOTS]

        assert [(end["outcome"], end["exit_code"]) for end in ends] == [("stopped", 0)] * len(SLOTS)
        assert [deed.split()[:2] for deed in stage.deeds() if deed.startswith("done long")] == [["done", "long"]]
        daemon.stop()

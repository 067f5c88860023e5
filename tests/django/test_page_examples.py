"""Examples of the pages in Python, run as they stand."""

import re
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest

from shop import jobs
from shop.opening import open_shop
from tests.harness.project import ROOT
from workerd.models import Job
from workerd.testing import Clock, due_times, run_job


def example(page: str, beginning: str) -> str:
    """Return the block of Python on a page that begins so."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)
    (found,) = (block for block in blocks if block.startswith(beginning))
    return str(found)


def run(block: str, **names: Any) -> dict[str, Any]:
    exec(compile(block, "an example", "exec"), names)
    return names


@pytest.mark.django_db
def test_a_row_is_made_in_python() -> None:
    run(example("jobs.md", "from workerd.models import Job"))

    assert Job.objects.get().name == "ship-orders"


@pytest.mark.backends("any")
def test_settings_that_are_another_projects_get_ours() -> None:
    block = example("settings.md", "# /srv/netbox/workerd_settings.py")

    found = run(block.replace("netbox.settings", "django_site.settings"))

    assert "workerd" in found["INSTALLED_APPS"]
    assert found["WORKERD"] == {"STATE_DIR": "/var/lib/netbox/workerd", "COMMANDS": ["rqworker"]}
    assert found["DATABASES"]


@pytest.mark.django_db
def test_a_test_moves_the_clock() -> None:
    open_shop()

    run(example("testing.md", "clock = Clock()"), Clock=Clock, run_job=run_job, ship_orders=jobs.ship_orders)


@pytest.mark.django_db
def test_a_test_interrupts_a_command() -> None:
    run(example("testing.md", 'with mock.patch("time.sleep"'), mock=mock, run_job=run_job)


@pytest.mark.backends("any")
def test_due_times_are_those_of_the_page() -> None:
    block = example("testing.md", "from workerd.testing import due_times")
    told = re.findall(r"(\d+) March (\d\d:\d\d)", block)
    call = block.split("\n\n")[1].splitlines()[0]

    dues = eval(call, {"due_times": due_times, "datetime": datetime, "UTC": UTC})

    assert [(str(due.day), f"{due:%H:%M}") for due in dues] == told

"""A leaking job as its operator sees it: the curve that meets its limit, on its page and on that of the run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness.project import Project
from tests.harness.waiting import eventually

from .looks import AXE, OUT_OF_REACH, serious
from .pages import DESKTOP, PHONE, Admin
from .samples import add_leak

if TYPE_CHECKING:
    from tests.harness.browser import Browser
    from tests.harness.daemon import Daemon

pytestmark = pytest.mark.slow
WALL = (1920, 1080)
GROW: dict[str, Any] = {"page_mib": 1, "pause": 0.5, "most": 100}
LOOKS = {"light": WALL, "dark": WALL, "light-phone": PHONE, "dark-phone": PHONE}
IN_PIXELS = """
const plot = document.querySelector(".workerd-plot");
if (!plot) return null;
const path = plot.querySelector("path"), limit = plot.querySelector(".workerd-limit");
return limit ? [path.getBoundingClientRect().top, limit.getBoundingClientRect().top] : null;
"""


@pytest.fixture
def project(project: Project) -> Project:
    """A project whose daemon measures each second."""
    project.settings["SAMPLE_SECONDS"] = 1
    return project


def test_the_curve_of_a_leak_meets_its_limit(admin: Admin, project: Project, daemon: "Daemon", pictures: Path) -> None:
    browser = admin.browser
    admin.define("report", target="shop.mishaps.build_catalogue", max_memory="96", enabled=False)
    quiet = browser.path
    eventually(lambda: project.slots.filter(name="report").exists(), 30, "the slot's row")
    add_leak(project, "report", 96)
    hasty = {"start_grace": "50 ms", "stop_timeout": "1 s", "max_memory": "24"}
    admin.define("build-catalogue", target="shop.mishaps.build_catalogue", kwargs=GROW, **hasty)
    leaking = browser.path

    ended = daemon.wait_event("child.exited", within=90, job="build-catalogue", outcome="over_memory")
    browser.wait(lambda: _meets(browser.script(IN_PIXELS)), 60, "a curve that meets its limit")
    eventually(lambda: project.runs.filter(pk=ended["run"]).exclude(ended=None).exists(), 30, "the end of the run")
    run = f"/admin/workerd/run/{ended['run']}/change/"
    browser.open(run)

    assert _meets(browser.script(IN_PIXELS)), "the run's own curve reaches its limit at its end"
    browser.open(quiet)
    assert "at this rate it meets its limit in" in browser.text(".workerd-resources .workerd-notice")
    pages = {"leak": quiet, "leak-now": leaking, "leak-run": run, "leak-list": "/admin/workerd/job/"}
    problems = _look_at(browser, pages, pictures)
    assert "\n".join(problems) == ""


def _meets(pixels: list[float] | None) -> bool:
    """Return whether the top of the curve is at the limit's line."""
    return pixels is not None and pixels[0] <= pixels[1] + 2


def _look_at(browser: "Browser", pages: dict[str, str], pictures: Path) -> list[str]:
    """Take a picture of each page in each look; return what is wrong with them."""
    browser.errors()
    problems: list[str] = []
    for look, size in LOOKS.items():
        browser.prefer(look.partition("-")[0])
        browser.resize(size)
        for name, path in pages.items():
            browser.open(path)
            browser.script(AXE.read_text())
            problems += [f"{name} {look}: {found}" for found in serious(browser)]
            if size == PHONE:
                problems += [f"{name} {look}: out of reach: {element}" for element in browser.script(OUT_OF_REACH)]
                width = browser.script("return document.documentElement.scrollWidth")
                problems += [f"{name} {look}: {width} pixels wide"] if width > PHONE[0] else []
            browser.shoot(pictures / f"{name}-{look}.png", size)
    browser.resize(DESKTOP)
    return problems + browser.errors()

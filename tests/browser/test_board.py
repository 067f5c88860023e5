"""The board in a browser: on a wall and on a phone, light and dark, live, and nothing serious for axe."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.project import ALIAS, Project
from workerd.models import Node, Slot

from .fleet_day import add_fleet
from .looks import AXE, OUT_OF_REACH, serious
from .pages import PHONE

if TYPE_CHECKING:
    from tests.harness.browser import Browser

pytestmark = pytest.mark.slow
WALL = (1920, 1080)
BOARD = "/admin/workerd/job/board/"
LOOKS = {"light": WALL, "dark": WALL, "light-phone": PHONE, "dark-phone": PHONE}
FITS = "return document.documentElement.scrollHeight <= window.innerHeight"


@pytest.fixture
def fleet(project: Project) -> None:
    add_fleet(ALIAS)


@pytest.mark.usefixtures("fleet")
def test_it_is_read_on_a_wall_and_on_a_phone_and_axe_finds_nothing_serious(browser: "Browser", pictures: Path) -> None:
    browser.errors()
    problems: list[str] = []
    for look, size in LOOKS.items():
        browser.prefer(look.partition("-")[0])
        browser.resize(size)
        for name, path in (("board", BOARD), ("wall", f"{BOARD}?wall")):
            browser.open(path)
            browser.script(AXE.read_text())
            problems += [f"{name} {look}: {found}" for found in serious(browser)]
            width = browser.script("return document.documentElement.scrollWidth")
            problems += [f"{name} {look}: {width} pixels wide"] if width > size[0] else []
            if size == PHONE:
                problems += [f"{name} {look}: out of reach: {element}" for element in browser.script(OUT_OF_REACH)]
            elif name == "wall" and not browser.script(FITS):
                problems.append(f"{name} {look}: a usual fleet does not fit on a wall without scrolling")
            browser.shoot(pictures / f"{name}-{look}.png", size)
    problems += browser.errors()

    assert "\n".join(problems) == ""


@pytest.mark.usefixtures("fleet")
def test_what_changes_is_seen_without_loading_the_page_again(browser: "Browser") -> None:
    browser.resize(WALL)
    browser.open(f"{BOARD}?wall")
    browser.wait_text("In trouble: 1 node, 4 jobs", "h1")
    browser.script("window.same = true")

    Node.objects.using(ALIAS).filter(host__startswith="web06").delete()
    Slot.objects.using(ALIAS).filter(state="PARKED").update(state="RUNNING", reason="")

    browser.wait_text("In trouble: 4 jobs", "h1")
    assert browser.script("return window.same")
    assert "fails again and again" in browser.text(".workerd-troubles")

"""How the pages look: nothing serious for axe in light and dark, all reachable on a phone, and pictures to look at."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness.project import Project

from .history import add_day, add_times
from .looks import AXE, OUT_OF_REACH, serious
from .pages import DESKTOP, PHONE, Admin

pytestmark = pytest.mark.slow
MISHAPS = "shop.mishaps"
JAM: dict[str, Any] = {"jams_after": 1, "pause": 0.2}
FAIL: dict[str, Any] = {"fails_after": 1, "pause": 0.2}
GROW: dict[str, Any] = {"page_mib": 4, "pause": 0.2, "most": 10}

LOOKS = {"light": DESKTOP, "dark": DESKTOP, "light-phone": PHONE, "dark-phone": PHONE}


@pytest.fixture
def pages(admin: Admin, project: Project) -> dict[str, str]:
    """The shop's jobs, of which one crashed, one hung and one is parked, after a day; and where to see all that."""
    browser = admin.browser
    slow = {"start_grace": "50 ms", "backoff_initial": "1 min", "backoff_max": "5 min"}
    deaf = {"heartbeat_timeout": "1 s", "stop_timeout": "1 s"}
    admin.define("print-labels", target=f"{MISHAPS}.print_labels", kwargs=JAM, **deaf, **slow)
    admin.define("nightly", target="shop.jobs.price_feed", schedule="30 2 * * *", restart="on_failure", max_age="1 h")
    nightly = browser.path
    add_times(project, "nightly")
    admin.define("price-feed", target="shop.jobs.price_feed", notes="Follows the market.")
    admin.define("ship-orders", target="shop.jobs.ship_orders", processes="2", start_grace="50 ms")
    admin.define("build-catalogue", target=f"{MISHAPS}.build_catalogue", kwargs=GROW, max_memory="64")
    admin.define("sync-stock", target=f"{MISHAPS}.call_courier", kwargs=FAIL, max_restarts="0", **slow)
    admin.define("call-courier", target=f"{MISHAPS}.call_courier", kwargs=FAIL, processes="2", **slow)
    for name, processes in (("call-courier", 2), ("ship-orders", 2), ("price-feed", 1)):
        add_day(project, name, processes)
    admin.wait_state("backing off")
    browser.wait_text("the courier is out", ".workerd-failures")
    job = browser.path
    admin.order("Restart")
    browser.wait_text("Restart was asked for: call-courier.")
    admin.open_list()
    browser.follow("print-labels")
    browser.wait_text("hung", ".workerd-failures")
    run = browser.find(".workerd-failures a").get_attribute("href") or ""
    return {
        "jobs": "/admin/workerd/job/",
        "job": job,
        "run": run.removeprefix(browser.url),
        "form": job.replace("/page/", "/change/"),
        "scheduled": nightly,
        "schedule": nightly.replace("/page/", "/change/"),
        "add": "/admin/workerd/job/add/",
        "runs": "/admin/workerd/run/",
        "slots": "/admin/workerd/slot/",
        "nodes": "/admin/workerd/node/",
        "operations": "/admin/workerd/operation/",
    }


def test_axe_finds_nothing_serious_and_a_phone_reaches_everything(
    admin: Admin, pages: dict[str, str], pictures: Path
) -> None:
    browser = admin.browser
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
            if name in ("jobs", "form", "job", "run", "scheduled", "schedule", "runs"):
                browser.shoot(pictures / f"{name}-{look}.png", size)
    problems += browser.errors()

    assert "\n".join(problems) == ""

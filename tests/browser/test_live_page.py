"""What the page's script does: it rests while nobody looks, moves no row, keeps the focus, says when it is cut off."""

from pathlib import Path

import pytest

from tests.harness.admin_server import Server
from tests.harness.daemon import Daemon

from .pages import LIST, Admin

pytestmark = pytest.mark.slow
COUNT_FETCHES = "return performance.getEntriesByType('resource').filter((one) => one.name.includes('/live/')).length"
HIDE = """
const began = performance.now();
Object.defineProperty(document, "hidden", { value: arguments[0], configurable: true });
document.dispatchEvent(new Event("visibilitychange"));
return began;
"""
LAST_FETCH = """
const found = performance.getEntriesByType("resource").filter((one) => one.name.includes("/live/"));
return found[found.length - 1].startTime;
"""
AT_ONCE_MS = 1000
PLACES = """
const text = document.querySelector(arguments[0]).firstChild;
const box = (from, to) => {
  const range = document.createRange();
  range.setStart(text, from);
  range.setEnd(text, to);
  return range.getBoundingClientRect();
};
const [first, last] = [box(0, 1), box(text.length - 1, text.length)];
const around = getComputedStyle(text.parentElement);
const cell = text.parentElement.getBoundingClientRect();
const start = cell.left + parseFloat(around.paddingLeft);
const end = cell.right - parseFloat(around.paddingRight);
return [first.left, last.left, last.right, start, end];
"""
TOPS = "return Array.from(document.querySelectorAll('#result_list tr'), (row) => row.getBoundingClientRect().top)"


def test_a_hidden_page_asks_for_nothing_and_a_shown_one_at_once(admin: Admin) -> None:
    admin.define("idle")
    browser = admin.browser
    admin.open_list()
    browser.wait(lambda: browser.script(COUNT_FETCHES) >= 1, what="a first look")

    browser.script(HIDE, True)
    browser.script("performance.clearResourceTimings()")
    hidden_for = "return new Promise((done) => setTimeout(() => done(true), 3000))"
    assert browser.script(hidden_for)  # longer than a page waits between two looks
    assert browser.script(COUNT_FETCHES) <= 1  # one may have been under way

    before = browser.script(COUNT_FETCHES)
    shown = browser.script(HIDE, False)
    browser.wait(lambda: browser.script(COUNT_FETCHES) > before, what="a look when shown again")
    assert browser.script(LAST_FETCH) - shown < AT_ONCE_MS


def test_rows_stay_where_they_are_while_their_cells_change(admin: Admin, tmp_path: Path) -> None:
    told = tmp_path / "told"
    slow = {"start_grace": "100 ms", "backoff_initial": "1 min", "backoff_max": "5 min"}
    message = "a long message of what went wrong " * 10
    admin.define("crash", "crash_when_told", {"path": str(told), "message": message}, **slow)
    admin.define("idle", start_grace="100 ms", max_memory="64")
    admin.open_list()
    admin.wait_row("crash", "running")
    admin.wait_row("idle", "running")
    tops = admin.browser.script(TOPS)

    told.touch()
    admin.wait_row("crash", "a long message")

    assert admin.browser.script(TOPS) == tops


def test_what_has_the_focus_keeps_it(admin: Admin) -> None:
    admin.define("idle", start_grace="100 ms")
    admin.wait_state("running")
    browser = admin.browser
    browser.script("document.querySelector('.workerd-small').focus()")
    before = admin.pid

    browser.script(
        "const form = new FormData(document.querySelector('.workerd-orders-form')); form.set('order', 'restart');"
        "fetch(document.querySelector('.workerd-orders-form').action, { method: 'POST', body: form })"
    )
    admin.wait_pid(other_than=before)

    assert browser.script("return document.activeElement.className") == "workerd-small"


def test_the_arrow_keys_go_from_run_to_run(admin: Admin) -> None:
    quick = {"start_grace": "50 ms", "backoff_initial": "0", "backoff_max": "0"}
    admin.define("crash", kwargs={"after": 0.3}, max_restarts="2", **quick)
    browser = admin.browser
    browser.wait(lambda: len(browser.find_all("[data-workerd-run]")) >= 3, what="three runs")
    admin.wait_state("parked")

    seen = {}
    browser.script("document.querySelector('[data-workerd-run][tabindex=\"0\"]').focus()")
    for _ in range(3):
        seen[browser.script("return document.activeElement.getAttribute('href')")] = browser.text(
            "[data-workerd-focused]"
        )
        browser.driver.switch_to.active_element.send_keys("\ue012")  # the left arrow

    assert len(seen) == 3, seen
    assert all("crash: error after" in told for told in seen.values()), seen


def test_words_keep_their_order_on_a_page_that_runs_from_right_to_left(admin: Admin) -> None:
    admin.define("idle", processes="2", start_grace="100 ms", max_memory="64")
    admin.open_list()
    admin.wait_row("idle", "2 of 2 running")
    browser = admin.browser

    browser.script("document.documentElement.dir = 'rtl'")

    for css in (".field-state .workerd-badge", ".field-memory .workerd-line", ".field-job .workerd-clip"):
        first, last, end, cell_start, cell_end = browser.script(PLACES, f"#result_list {css}")
        assert first < last, css
    # The last is cut where it is too long for its cell: from its beginning on it is seen as far as there is room.
    assert abs(end - cell_end) < 2 or abs(first - cell_start) < 2


def test_a_page_that_is_cut_off_says_so(admin: Admin, site: Server) -> None:
    admin.open_list()

    site.close()

    admin.browser.wait_text("This page cannot be refreshed; it shows the state at")


def test_a_silent_daemon_is_said(admin: Admin, daemon: Daemon) -> None:
    admin.define("idle", start_grace="100 ms")
    admin.wait_state("running")

    daemon.kill()

    admin.browser.open(LIST)
    admin.browser.wait_text("No daemon has reported for", within=60)

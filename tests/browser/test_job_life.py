"""The life of a job in the admin: it is defined, runs, is edited, crashes, is looked into, stopped and resumed."""

import json
import time
from pathlib import Path

import pytest

from .pages import BAD_JOBS, Admin

pytestmark = pytest.mark.slow
RESTART_WITHIN_S = 10.0
"""Two on a machine that has nothing else to do."""


def test_a_job_is_defined_watched_edited_looked_into_and_steered(admin: Admin, tmp_path: Path) -> None:
    browser, told = admin.browser, tmp_path / "told"

    admin.open_list()
    browser.wait_text("There are no jobs yet.")
    browser.follow("Add the first job")
    browser.type("target", f"{BAD_JOBS}.count")
    browser.wait_text("Leaves a mark in the database each turn. Takes: every: float = 0.05")
    admin.save(name="mine", target=f"{BAD_JOBS}.count")
    browser.wait_text("1 process will be started.")
    admin.wait_state("running")
    first = admin.wait_pid()

    browser.follow("EDIT")
    admin.fill(kwargs=json.dumps({"every": "often"}), stop_timeout="soon")
    browser.wait_text("Saving this will restart 1 running process.")
    browser.click("[name=_save]")
    browser.wait_text("“soon” is not a duration")
    admin.save(kwargs=json.dumps({"every": 0.2}), stop_timeout="5 s")
    browser.wait_text("1 running process will be restarted.")
    second = admin.wait_pid(other_than=first)

    told.touch()
    kwargs = json.dumps({"path": str(told), "message": "no ink left"})
    admin.edit(target=f"{BAD_JOBS}.crash_when_told", kwargs=kwargs, start_grace="200 ms")
    browser.wait_text("RuntimeError: no ink left", ".workerd-failures")
    assert admin.pid != second
    browser.click(".workerd-failures a")
    browser.wait_text("RuntimeError: no ink left", ".workerd-sentence")
    assert "raise RuntimeError(message)" in browser.text(".workerd-block")
    browser.follow("mine")

    admin.order("Stop")
    admin.wait_state("stopped")
    browser.wait_text("taken", ".workerd-orders")
    told.unlink()
    admin.order("Start")
    admin.wait_state("running")

    admin.edit(max_restarts="0")
    told.touch()
    admin.wait_state("parked")
    browser.wait_text("no ink left", ".workerd-reason")
    told.unlink()
    admin.order("Resume")
    admin.wait_state("running")

    assert browser.errors() == []


def test_from_the_click_on_restart_to_the_new_pid_it_takes_seconds(admin: Admin) -> None:
    admin.define("idle", start_grace="100 ms")
    admin.wait_state("running")
    took = []

    for _ in range(3):
        before, began = admin.wait_pid(), time.monotonic()
        admin.order("Restart")
        admin.wait_pid(other_than=before)
        took.append(time.monotonic() - began)

    print(f"from the click to the new pid: {', '.join(f'{seconds:.2f} s' for seconds in took)}")
    assert sorted(took)[1] <= RESTART_WITHIN_S


def test_it_works_without_javascript(admin: Admin) -> None:
    browser = admin.browser
    browser.run_scripts(on=False)

    browser.open("/admin/workerd/job/add/")
    browser.type("name", "idle")
    browser.type("target", f"{BAD_JOBS}.idle")
    browser.click("[name=_save]")

    def is_running() -> bool:
        browser.driver.refresh()
        return admin.state == "running"

    browser.wait(is_running, what="running")
    first = admin.pid
    admin.open_list()
    browser.click("#result_list .action-select")
    browser.type("action", "restart")
    browser.click("button[name=index]")
    browser.wait_text("Restart was asked for: idle.")
    browser.follow("idle")

    def is_another() -> bool:
        browser.driver.refresh()
        return admin.pid not in ("", first)

    browser.wait(is_another, what="another pid")
    admin.open_list()
    browser.click("[role=switch]")
    browser.wait_text("is off: it will be stopped gracefully.")

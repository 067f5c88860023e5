"""A schedule in the admin: it is written, read back in words and times, saved, run now, and waits for its time."""

import pytest

from .pages import BAD_JOBS, Admin

pytestmark = pytest.mark.slow
WORDS = ".workerd-schedule-words"
SECTION = "[data-workerd-live=schedule]"


def test_a_schedule_is_written_read_saved_and_run_now(admin: Admin) -> None:
    browser = admin.browser

    browser.open("/admin/workerd/job/add/")
    browser.type("schedule", "0 30 2 * * *")
    browser.wait_text("five", WORDS)
    browser.type("schedule", "30 2 * * *")
    browser.wait_text("At 02:30 every day (UTC)", WORDS)
    browser.type("time_zone", "Europe/Berlin")
    browser.wait_text("At 02:30 every day (Europe/Berlin)", WORDS)
    times = [entry.text for entry in browser.find_all(".workerd-times li")]
    assert len(times) == 5
    assert all("02:30" in entry or "does not exist" in entry for entry in times)
    assert "the clocks go" in browser.text(WORDS)

    admin.fill(name="nightly", target=f"{BAD_JOBS}.finish")
    browser.click("[name=_save]")
    browser.wait_text("choose “on_failure”", ".field-restart")
    admin.save(restart="on_failure")
    browser.wait_text("It runs next at its time:")
    browser.wait_text("waits · due in", ".workerd-slots")
    assert [entry.text for entry in browser.find_all(".workerd-times li")] == times

    admin.order("Run now")
    browser.wait_text("Run now was asked for: nightly.")
    browser.wait_text("taken", ".workerd-orders")
    browser.wait_text("last 1: 1 finished", SECTION)
    browser.wait_text("waits · due in", ".workerd-slots")
    browser.click(".workerd-details summary")
    browser.wait_text("an operator", ".workerd-details")

    admin.open_list()
    admin.wait_row("nightly", "waits · due in")
    assert "finished" in admin.row("nightly")
    assert "1 run" in admin.row("nightly")
    browser.open("/admin/workerd/job/?state=look")
    assert admin.row("nightly") == ""
    assert browser.errors() == []


def test_run_now_is_answered_while_it_runs_and_an_edit_leaves_the_run_alone(admin: Admin) -> None:
    """Cases 46 and 65."""
    browser = admin.browser
    admin.define("idle", schedule="30 2 * * *", restart="on_failure")
    admin.order("Run now")
    admin.wait_state("running")
    pid = admin.wait_pid()

    admin.order("Run now")
    browser.wait_text("and its row's overlap is “skip”", ".workerd-orders")
    admin.edit(schedule="every 6 h")
    browser.wait_text("The run that goes on is not ended. It runs next at its time:")
    browser.wait_text("Every 6 hours", SECTION)

    assert admin.pid == pid
    admin.order("Stop")
    admin.wait_state("stopped")
    admin.order("Start")
    browser.wait_text("waits · due in", ".workerd-slots")
    assert browser.errors() == []


def test_a_time_that_comes_runs_the_job_and_the_page_shows_it(admin: Admin) -> None:
    browser = admin.browser
    admin.define("finish", schedule="every 10 s", restart="never")

    browser.wait_text("1 finished", SECTION, within=60)
    browser.wait_text("waits · due in", ".workerd-slots")
    browser.click(".workerd-details summary")
    browser.wait_text("· on time", ".workerd-details")

"""workerd's pages as an operator uses them: everything by what is seen and clicked, nothing by a row."""

import json
import re
from typing import TYPE_CHECKING, Any

from tests.harness.waiting import WITHIN_S

if TYPE_CHECKING:
    from tests.harness.browser import Browser

BAD_JOBS = "tests.process.bad_jobs.jobs"
DESKTOP, PHONE = (1440, 900), (390, 844)
LIST = "/admin/workerd/job/"
ROW = """
const rows = Array.from(document.querySelectorAll("#result_list tbody tr"));
const row = rows.find((one) => one.querySelector(".field-job a").textContent === arguments[0]);
return row ? row.innerText : "";
"""


class Admin:
    """The jobs list, the form and a job's page."""

    def __init__(self, browser: "Browser") -> None:
        self.browser = browser

    # the form

    def define(self, name: str, bad_job: str = "", kwargs: dict[str, Any] | None = None, **fields: str | bool) -> None:
        """Fill in the form for a new job, save it, and arrive at its page."""
        self.browser.open(f"{LIST}add/")
        fields.setdefault("target", f"{BAD_JOBS}.{bad_job or name.replace('-', '_')}")
        self.save(name=name, kwargs=json.dumps(kwargs or {}), **fields)

    def edit(self, **fields: str | bool) -> None:
        """From a job's page go to its form, change it, save it, and be back."""
        self.browser.follow("EDIT")
        self.save(**fields)

    def save(self, **fields: str | bool) -> None:
        """Fill in what is given and save."""
        self.fill(**fields)
        self.browser.click("[name=_save]")
        self.browser.wait(lambda: re.fullmatch(rf"{LIST}\d+/page/", self.browser.path), what=f"saved: {self.errors()}")

    def fill(self, **fields: str | bool) -> None:
        """Fill in what is given."""
        self.browser.script("document.querySelectorAll('fieldset details').forEach((one) => { one.open = true; })")
        for name, value in fields.items():
            if isinstance(value, bool):
                self.browser.tick(name, on=value)
            else:
                self.browser.type(name, value)

    def errors(self) -> str:
        """Return what the form complains of."""
        return self.browser.text(".errorlist")

    # a job's page

    def order(self, words: str) -> None:
        """Give the order of these words for the whole job."""
        self.browser.click(f"//div[@class='workerd-verbs']/button[text()='{words}']", "xpath")

    @property
    def state(self) -> str:
        """The state that the page shows."""
        return self.browser.text(".workerd-slots td .workerd-badge")

    @property
    def pid(self) -> str:
        """The pid that the page shows."""
        return self.browser.text(".workerd-pid")

    def wait_state(self, words: str, within: float = WITHIN_S) -> None:
        """Wait until the page shows the state, without being loaded again."""
        self.browser.wait(lambda: self.state == words, within, f"{words}, not {self.state}")

    def wait_pid(self, other_than: str = "", within: float = WITHIN_S) -> str:
        """Wait until the page shows a pid that is another one."""
        return str(self.browser.wait(lambda: self.pid if self.pid != other_than else "", within, "another pid"))

    # the list

    def open_list(self) -> None:
        """Look at all jobs."""
        self.browser.open(LIST)

    def row(self, name: str) -> str:
        """Return what the list says of a job."""
        return str(self.browser.script(ROW, name))

    def wait_row(self, name: str, words: str, within: float = WITHIN_S) -> None:
        """Wait until the list says so of a job, without being loaded again."""

        def says_so() -> None:
            row = self.row(name)
            assert words in row, f"{self.browser.path} says {row!r}"

        self.browser.wait(says_so, within, f"“{words}” of {name}")

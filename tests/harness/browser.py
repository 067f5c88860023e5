"""Headless Chromium as the tests use it: pages by name, forms by field, waits with a deadline."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import (
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.browser.pages import DESKTOP, PHONE
from tests.harness.waiting import WITHIN_S, eventually

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


NOT_THERE = (ElementNotInteractableException, NoSuchElementException, StaleElementReferenceException)
REPLACED = "does not belong to the document"
"""In these words the driver says of an element that it is stale, where the page is replaced while it looks."""


def start_chromium(paths: tuple[str, str], profile: Path) -> webdriver.Chrome:
    """Start Chromium by its path and its driver's; whoever calls this quits it."""
    options = webdriver.ChromeOptions()
    options.binary_location, driver = paths
    for argument in (*ARGUMENTS, f"--user-data-dir={profile}", f"--window-size={DESKTOP[0]},{DESKTOP[1]}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))


class Browser:
    """One window on one site, as a fresh browser would open it: nobody is logged in, and nothing is emulated."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        self.url = url
        self._forget()

    def _forget(self) -> None:
        """Take away what the window's former site has left."""
        self.run_scripts(on=True)
        self.leave()
        for command in ("Network.clearBrowserCookies", "Emulation.clearDeviceMetricsOverride"):
            self.driver.execute_cdp_cmd(command, {})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
        self.driver.get_log("browser")  # type: ignore[no-untyped-call]

    def leave(self) -> None:
        """Ask the site for nothing more."""
        self.driver.get("about:blank")

    # what it looks at

    def resize(self, size: tuple[int, int], height: int | None = None) -> None:
        """Become a desktop's window or a phone's."""
        width = size[0]
        metrics = {"width": width, "height": height or size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """Ask for the light or the dark scheme, as a system does."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run_scripts(self, *, on: bool) -> None:
        """Switch the pages' JavaScript."""
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not on})

    def open(self, path: str) -> None:
        """Go to a path of the site, and arrive.

        Right after another page the driver may return from ``get`` without the server having been asked for anything.
        """

        def arrive() -> bool:
            self.driver.get(self.url + path)
            return self.path == urlsplit(path).path

        self.wait(arrive, what=f"the page {path}")

    def log_in(self, user: str, password: str) -> None:
        """Log in by the form, and arrive."""
        self.open("/admin/login/?next=/admin/")
        self.type("username", user)
        self.type("password", password)
        self.click("form [type=submit]")
        self.wait(lambda: self.path == "/admin/", what="the admin's front page")

    @property
    def path(self) -> str:
        """Where it is now."""
        return urlsplit(self.driver.current_url).path

    # what it finds

    def find(self, css: str) -> WebElement:
        """Return the one element."""
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def find_all(self, css: str) -> list[WebElement]:
        """Return all elements."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def text(self, css: str = "body") -> str:
        """Return the text that is seen in an element, or nothing where it is not there."""
        try:
            return self.find(css).text
        except WebDriverException as error:
            if _is_not_there(error):
                return ""
            raise

    def script(self, source: str, *arguments: Any) -> Any:
        """Return what a piece of JavaScript returns."""
        return self.driver.execute_script(source, *arguments)

    def errors(self) -> list[str]:
        """Return the console's errors, but for the missing icon: browsers ask for one, and the demo has none."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [
            entry["message"]
            for entry in entries
            if entry["level"] == "SEVERE" and "favicon.ico" not in entry["message"]
        ]

    # what it does

    def click(self, locator: str, by: str = By.CSS_SELECTOR) -> None:
        """Click on an element, or on the one that has just taken its place."""

        def click() -> bool:
            element = self.driver.find_element(by, locator)
            self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
            element.click()
            return True

        self.wait(click, what=f"a click on {locator}")

    def type(self, name: str, text: str) -> None:
        """Write into a field, in place of what stands there, once it is shown."""

        def write() -> bool:
            field = self.find(f"[name='{name}']")
            if field.tag_name == "select":
                field.find_element(By.CSS_SELECTOR, f"option[value='{text}']").click()
                return True
            field.clear()
            field.send_keys(text)
            return True

        self.wait(write, what=f"the field {name}")

    def tick(self, name: str, *, on: bool) -> None:
        """Set a check box."""
        if self.find(f"[name='{name}']").is_selected() != on:
            self.click(f"[name='{name}']")

    def follow(self, words: str) -> None:
        """Click on the link of these words."""
        self.click(words, By.LINK_TEXT)

    def wait(self, condition: Callable[[], Any], within: float = WITHIN_S, what: str = "") -> Any:
        """Return the condition's value as soon as it is true; what is being replaced is looked at again."""

        def look() -> Any:
            try:
                return condition()
            except WebDriverException as error:
                if _is_not_there(error):
                    return False
                raise

        return eventually(look, within, what)

    def wait_text(self, words: str, css: str = "body", within: float = WITHIN_S) -> None:
        """Wait until the words are seen."""
        self.wait(lambda: words in self.text(css), within, f"“{words}” in {css}")

    def shoot(self, path: Path, size: tuple[int, int]) -> None:
        """Write a picture of the whole page."""
        height = int(self.script("return document.documentElement.scrollHeight"))
        self.resize(size, min(max(height, size[1]), 2400))
        self.driver.save_screenshot(str(path))
        self.resize(size)


def _is_not_there(error: WebDriverException) -> bool:
    """Return whether the page is still on its way: what is asked for is not there, not shown, or being replaced."""
    return isinstance(error, NOT_THERE) or REPLACED in (error.msg or "")

"""Fixtures of the browser tests: a project with a daemon and its admin, and a browser with the operator logged in."""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.admin_server import PASSWORD, USER, Server, add_superuser
from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.process.conftest import daemon, project, pytest_runtest_makereport, template

from .pages import Admin

if TYPE_CHECKING:
    from selenium import webdriver

    from tests.harness.browser import Browser

__all__ = ["daemon", "project", "pytest_runtest_makereport", "template"]

DEBIAN = {"chromium": "chromium", "chromedriver": "chromium-driver"}
REQUIRED = "WORKERD_TEST_BROWSER"
"""An environment that sets it to “required” has a missing browser be a failure, as CI does."""


@pytest.fixture(scope="session")
def chromium() -> tuple[str, str]:
    """The paths of Chromium and its driver; skips where one of them, or Selenium, is not installed."""
    paths = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [f"{name} (Debian: {DEBIAN[name]})" for name, path in paths.items() if path is None]
    if find_spec("selenium") is None:
        missing.append("selenium (the extra “browser”)")
    if missing:
        say = pytest.fail if os.environ.get(REQUIRED) == "required" else pytest.skip
        say(f"not installed: {', '.join(missing)}")
    return str(paths["chromium"]), str(paths["chromedriver"])


@pytest.fixture
def site(project: Project) -> Iterator[Server]:
    """The project's admin; the daemon is not started yet."""
    project.settings["POLL_SECONDS"] = 1.0  # as everybody has it
    add_superuser()
    server = Server(project)
    yield server
    server.close()


@pytest.fixture(scope="session")
def window(chromium: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator["webdriver.Chrome"]:
    """A Chromium that the tests use one after the other: to start it takes longer than most of them."""
    from tests.harness.browser import start_chromium

    driver = start_chromium(chromium, tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture
def browser(window: "webdriver.Chrome", site: Server) -> Iterator["Browser"]:
    """A browser in which the operator is logged in."""
    from tests.harness.browser import Browser

    browser = Browser(window, site.url)
    browser.log_in(USER, PASSWORD)
    yield browser
    browser.leave()


@pytest.fixture
def admin(browser: "Browser", daemon: Daemon) -> Admin:
    """The admin as the operator uses it, beside a running daemon."""
    daemon.start()
    return Admin(browser)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: a folder that WORKERD_SCREENSHOTS names, to look at them, or a temporary one."""
    folder = Path(os.environ.get("WORKERD_SCREENSHOTS") or tmp_path / "pictures").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""Logging in a child, as the project's own configuration meets it."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from workerd.child.logs import PipeHandler, install_logging
from workerd.child.rendering import LineRenderer
from workerd.child.reports import log_failure


class Lines:
    """A sink that keeps what is written."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def write_line(self, line: bytes) -> None:
        self.lines.append(json.loads(line))

    @property
    def events(self) -> list[object]:
        return [line["event"] for line in self.lines]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """A process whose logging is not configured yet; put back afterwards."""
    root = logging.getLogger()
    workerd = logging.getLogger("workerd")
    handlers, levels = list(root.handlers), (root.level, workerd.level)
    root.handlers.clear()
    root.setLevel(logging.WARNING)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    structlog.reset_defaults()
    yield Lines()
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    workerd.setLevel(levels[1])
    structlog.reset_defaults()


def install(lines: Lines, *handlers: logging.Handler) -> Any:
    logging.getLogger().handlers[:] = handlers  # pytest hangs its own there for the length of a test
    return install_logging(LineRenderer({"job": "a-job"}, 64 * 1024), lines)


def test_a_project_that_configured_nothing_has_everything_from_info_up(lines: Lines) -> None:
    install(lines)
    logging.getLogger("shop").info("stdlib")
    logging.getLogger("shop").debug("quiet")
    structlog.get_logger("shop").info("structured", order=7)
    structlog.get_logger().debug("quiet")

    assert lines.events == ["stdlib", "structured"]
    assert [line["logger"] for line in lines.lines] == ["shop", "shop"]


def test_only_handlers_on_the_streams_are_replaced(lines: Lines, tmp_path: Path) -> None:
    console = logging.StreamHandler(sys.stderr)
    console.setLevel(logging.ERROR)
    console.addFilter(lambda record: "hidden" not in record.getMessage())
    file = logging.FileHandler(tmp_path / "shop.log")
    install(lines, file, console)

    kept, ours = logging.getLogger().handlers
    assert kept is file
    assert isinstance(ours, PipeHandler)
    logging.getLogger("shop").warning("for the file")
    logging.getLogger("shop").error("for both")
    logging.getLogger("shop").error("hidden")
    assert lines.events == ["for both"]
    file.close()
    assert (tmp_path / "shop.log").read_text().splitlines() == ["for the file", "for both", "hidden"]


def test_a_project_that_logs_to_a_file_alone_goes_on_so(lines: Lines, tmp_path: Path) -> None:
    file = logging.FileHandler(tmp_path / "shop.log")
    install(lines, file)
    logging.getLogger("shop").error("for the file")
    file.close()

    assert lines.lines == []


def test_a_record_that_meets_two_of_our_handlers_is_one_line(lines: Lines) -> None:
    shop = logging.getLogger("shop.twice")
    shop.addHandler(logging.StreamHandler(sys.stdout))
    install(lines)
    shop.error("once")
    shop.handlers.clear()

    assert lines.events == ["once"]


def test_structlog_keeps_the_projects_processors_and_level(lines: Lines) -> None:
    def add_shop(_logger: Any, _method: str, event: Any) -> Any:
        return {**event, "shop": "main"}

    structlog.configure(
        processors=[add_shop, structlog.dev.ConsoleRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    install(lines)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")

    [line] = lines.lines
    assert (line["event"], line["shop"], line["level"]) == ("loud", "main", "warning")


def test_structlog_through_the_standard_library_arrives_structured(lines: Lines) -> None:
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    install(lines)
    structlog.get_logger("shop").warning("structured", order=7)

    [line] = lines.lines
    assert (line["event"], line["order"], line["logger"]) == ("structured", 7, "shop")


def test_a_failure_is_one_line_and_still_reaches_the_projects_other_handlers(lines: Lines) -> None:
    seen: list[logging.LogRecord] = []

    class Sentry(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    log = install(lines, Sentry(), logging.StreamHandler(sys.stderr))
    error = ValueError("wrong")
    log_failure(log, "a-job:1", error)

    assert lines.events == ["job.failed"]
    [record] = seen
    assert record.getMessage() == "a-job:1 failed"
    assert record.exc_info is not None
    assert record.exc_info[1] is error

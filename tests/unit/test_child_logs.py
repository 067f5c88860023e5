"""Logging in a child, as the project's own configuration meets it."""

import contextlib
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from workerd.child.logs import install_logging
from workerd.child.rendering import LineRenderer
from workerd.child.reports import describe_failure, log_failure
from workerd.child.standard_logging import PipeHandler
from workerd.forksafe import events
from workerd.wire.messages import Failed


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
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()
    root.setLevel(logging.WARNING)
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    monkeypatch.setattr(logging.StreamHandler, "emit", logging.StreamHandler.emit)
    monkeypatch.setattr(logging.Handler, "handle", logging.Handler.handle)
    structlog.reset_defaults()
    yield Lines()
    root.handlers[:] = handlers
    root.setLevel(level)
    events.own_loggers.clear()
    structlog.reset_defaults()


def install(lines: Lines, *handlers: logging.Handler, level: int | None = None) -> Any:
    logging.getLogger().handlers[:] = handlers  # pytest hangs its own there for the length of a test
    return install_logging(LineRenderer({"job": "a-job"}, 64 * 1024), lines, level)


def test_a_project_that_configured_nothing_shows_what_python_shows(lines: Lines) -> None:
    """The standard library's default is WARNING (a token in an info line stays unsaid), structlog's is everything."""
    install(lines)
    for name in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger("shop"), name)("stdlib %s", name, extra={"order": 7})
        getattr(structlog.get_logger("shop"), name)("structlog", level_=name)

    logged = [line for line in lines.lines if line["event"] != "structlog"]
    assert [(line["level"], line["event"], line["order"]) for line in logged] == [
        ("warning", "stdlib warning", 7),
        ("error", "stdlib error", 7),
    ]
    assert [line["level"] for line in lines.lines if line["event"] == "structlog"] == [
        "debug",
        "info",
        "warning",
        "error",
    ]
    assert {line["logger"] for line in lines.lines} == {"shop"}
    assert (logging.getLogger().level, logging.getLogger().handlers) == (logging.WARNING, [])


def test_a_project_that_wants_nothing_of_the_last_resort_has_nothing(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "lastResort", None)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    install(lines)
    logging.getLogger("shop").error("unheard")

    assert lines.lines == []


def test_a_level_of_workerds_settings_is_for_a_project_without_handlers(lines: Lines, tmp_path: Path) -> None:
    install(lines, level=logging.INFO)
    logging.getLogger("shop").info("heard")
    logging.getLogger("shop").debug("quiet")
    assert lines.events == ["heard"]

    file = logging.FileHandler(tmp_path / "shop.log", delay=True)
    install(lines, file, level=logging.INFO)
    assert logging.getLogger().handlers == [file]


def test_a_level_of_workerds_settings_is_the_root_loggers_and_no_other_ones(lines: Lines) -> None:
    handler = logging.StreamHandler(sys.stderr)
    install(lines, handler, level=logging.DEBUG)
    logging.getLogger("shop").debug("heard")
    own = logging.getLogger("shop.own")
    own.setLevel(logging.ERROR)
    own.warning("as its own level says")
    own.setLevel(logging.NOTSET)
    install(lines, logging.StreamHandler(sys.stderr), level=logging.CRITICAL)
    logging.getLogger("shop").error("quiet")

    assert lines.events == ["heard"]


def test_the_jobs_own_basic_config_counts(lines: Lines) -> None:
    install(lines)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s of %(name)s: %(message)s")
    logging.getLogger("shop").info("heard")

    [line] = lines.lines
    assert (line["level"], line["logger"], line["event"]) == ("info", "shop", "INFO of shop: heard")


@pytest.mark.parametrize("name", ["stdout", "stderr", "__stdout__", "__stderr__"])
def test_a_handler_that_comes_later_is_a_line_of_its_formatters_text(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As those of celery, gunicorn, huey and uvicorn; the root's handler does not say it again."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, name, stream)
    install(lines, logging.StreamHandler(sys.stderr))
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    logger = logging.getLogger("huey")
    logger.addHandler(handler)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logger.exception("task %s failed", 7)
    logger.removeHandler(handler)

    [line] = lines.lines
    assert (line["level"], line["logger"]) == ("error", "huey")
    assert line["event"].startswith("[ERROR] task 7 failed\nTraceback (most recent call last):")
    assert line["event"].endswith("ZeroDivisionError: division by zero")
    assert stream.getvalue() == ""


def test_a_handler_that_comes_later_on_another_stream_is_left_alone(lines: Lines) -> None:
    install(lines)
    memory = io.StringIO()
    logger = logging.getLogger("shop.memory")
    logger.addHandler(handler := logging.StreamHandler(memory))
    logger.warning("for memory")
    logger.removeHandler(handler)
    with contextlib.redirect_stderr(memory):
        logging.getLogger("shop").warning("for whoever reads stderr now")

    assert memory.getvalue().splitlines() == ["for memory", "for whoever reads stderr now"]
    assert lines.lines == []


def test_workerds_own_events_do_not_depend_on_the_projects_levels(lines: Lines, tmp_path: Path) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    file = logging.FileHandler(tmp_path / "shop.log")
    install(lines, file)
    logging.disable(logging.INFO)
    events.emit("connection.opened", alias="default")
    logging.disable(logging.NOTSET)
    events.emit("connection.failed", alias="default")
    file.close()

    assert lines.events == ["connection.opened", "connection.failed"]
    assert {line["logger"] for line in lines.lines} == {"workerd.forksafe"}
    assert (tmp_path / "shop.log").read_text() == "event='connection.failed' alias='default'\n"


def test_a_thread_hook_of_the_project_stays(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    hook = lambda args: seen.append(args.exc_type)  # noqa: E731
    monkeypatch.setattr(threading, "excepthook", hook)
    install(lines)

    assert threading.excepthook is hook


def test_structlog_to_a_file_or_a_logger_of_the_projects_stays(lines: Lines, tmp_path: Path) -> None:
    with (tmp_path / "shop.log").open("w") as file:
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(file))
        install(lines)
        structlog.get_logger().warning("for the file")
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    install(lines)

    assert "for the file" in (tmp_path / "shop.log").read_text()
    assert lines.lines == []
    assert isinstance(structlog.get_config()["logger_factory"], structlog.ReturnLoggerFactory)


def test_a_fork_of_a_configured_process_configures_anew(lines: Lines) -> None:
    def count(_logger: Any, _method: str, event: Any) -> Any:
        return {**event, "seen": event.get("seen", 0) + 1}

    structlog.configure(processors=[count, structlog.dev.ConsoleRenderer()])
    first = Lines()
    install(first)
    install(lines)
    structlog.get_logger().info("once")

    assert first.lines == []
    assert [line["seen"] for line in lines.lines] == [1]


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
    install(lines, logging.StreamHandler(sys.stderr))
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
    log_failure(log, "a-job:1", error, describe_failure(error))

    assert lines.events == ["job.failed"]
    [record] = seen
    assert record.getMessage() == "a-job:1 failed"
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert record.levelname == "ERROR"


def test_an_outage_is_a_warning_to_the_projects_other_handlers_at_each_try(lines: Lines) -> None:
    """A handler for errors, as Sentry's, would open an issue for each start of each job."""
    seen: list[logging.LogRecord] = []

    class Sentry(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    log = install(lines, Sentry())
    error = ValueError("connection refused")
    failed = Failed("ValueError", "connection refused", "", unreachable="default", outage="the database is unreachable")
    log_failure(log, "a-job:1", error, failed)

    [line], [record] = lines.lines, seen
    assert (line["event"], line["level"]) == ("job.failed", "warning")
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert record.getMessage() == "a-job:1 ended, as the database is unreachable: connection refused"

"""Handlers of any class, which a library puts on stdout or stderr after us: what they print is their record's text."""

import logging
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from workerd.child.logs import install_logging
from workerd.child.output_pipe import OutputPipe
from workerd.child.rendering import LineRenderer
from workerd.child.stdio import Stdio

from .test_child_logs import Lines, lines

__all__ = ["lines"]


class Child:
    """This process as a child, with its streams on a pipe each and its logging ours."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
        self._monkeypatch = monkeypatch
        self._lines = lines
        self._stdio = Stdio("mark", lambda: None, OutputPipe())
        self.pipes = {name: os.pipe() for name in ("stdout", "stderr")}

    def begin(self, *handlers: logging.Handler, ours: bool = False, unbuffered: bool = False) -> None:
        """Connect the streams, take the logging over, and have a library put ``handlers`` on the root logger."""
        former = type("Former", (), {"write_through": unbuffered})()
        for name, (reading, writing) in self.pipes.items():
            os.set_blocking(reading, False)
            self._monkeypatch.setattr(sys, name, self._stdio._stream(writing, former))
        root = logging.getLogger()
        root.handlers.clear()
        install_logging(LineRenderer({"job": "a-job"}, 64 * 1024), self._lines, logging.INFO)
        root.handlers[:] = [*(root.handlers if ours else ()), *handlers]

    def printed(self, name: str = "stdout") -> str:
        """Return what has come out since the last call."""
        try:
            return os.read(self.pipes[name][0], 65536).decode()
        except BlockingIOError:
            return ""


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> Iterator[Child]:
    child = Child(monkeypatch, lines)
    yield child
    for pipe in child.pipes.values():
        for descriptor in pipe:
            os.close(descriptor)


class Printing(logging.Handler):
    """A handler with an ``emit`` of its own, as rich's, tqdm's and many a project's."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"{record.levelname} > {self.format(record)}")


def test_what_a_handler_prints_is_an_event_with_the_level_of_its_record(lines: Lines, child: Child) -> None:
    child.begin(Printing())
    logging.getLogger("shop").error("no address")
    logging.getLogger("shop").info("two\nlines")

    assert [(line["level"], line["logger"], line["event"]) for line in lines.lines] == [
        ("error", "shop", "ERROR > no address"),
        ("info", "shop", "INFO > two\nlines"),
    ]
    assert child.printed() == ""


def test_a_record_that_is_a_line_already_is_not_printed_again(lines: Lines, child: Child) -> None:
    """The root's handler is workerd's; the library's one comes after it."""
    child.begin(Printing(), ours=True)
    logging.getLogger("shop").warning("once")

    assert lines.events == ["once"]
    assert child.printed() == ""


def test_what_else_a_handler_prints_of_such_a_record_is_printed_text(lines: Lines, child: Child) -> None:
    class Other(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print(f"sent one of {record.name}")

    class Wrapping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print(f"INFO  {record.getMessage()[:30]}  shop.py:7\n      {record.getMessage()[30:]}")

    child.begin(Other(), Wrapping(), ours=True)
    logging.getLogger("shop").info("a message that is much longer than a line")

    assert lines.events == ["a message that is much longer than a line"]
    assert child.printed() == "sent one of shop\n"


def test_text_of_the_job_is_printed_text_before_between_and_after(lines: Lines, child: Child) -> None:
    child.begin(Printing())
    print("before")
    logging.getLogger("shop").info("record")
    print("after")

    assert (child.printed(), lines.events) == ("before\nafter\n", ["INFO > record"])


def test_another_threads_text_is_not_the_handlers(lines: Lines, child: Child) -> None:
    class Slow(Printing):
        def emit(self, record: logging.LogRecord) -> None:
            thread = threading.Thread(target=print, args=["of the thread"])
            thread.start()
            thread.join()
            super().emit(record)

    child.begin(Slow())
    logging.getLogger("shop").info("record")

    assert (child.printed(), lines.events) == ("of the thread\n", ["INFO > record"])


def test_a_handler_that_logs_as_it_handles_a_record_makes_two_lines(lines: Lines, child: Child) -> None:
    class Chatty(Printing):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "shop":
                logging.getLogger("inner").info("sent")
            super().emit(record)

    child.begin(Chatty())
    logging.getLogger("shop").info("record")

    assert lines.events == ["INFO > sent", "INFO > record"]
    assert child.printed() == ""


def test_a_bar_that_is_drawn_again_is_no_part_of_the_record(lines: Lines, child: Child) -> None:
    """As by ``tqdm.write``: the bar is blanked, the record comes, and the bar is there again."""

    class Bar(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            sys.stdout.write(f"\r      \r{record.getMessage()}\n")
            sys.stderr.write("\r50 %")

    child.begin(Bar())
    logging.getLogger("shop").info("record")

    assert lines.events == ["record"]
    assert (child.printed(), child.printed("stderr")) == ("", "\r50 %")


def test_unbuffered_streams_make_no_difference(lines: Lines, child: Child) -> None:
    """``print`` writes the newline by itself then, as under PYTHONUNBUFFERED."""
    child.begin(Printing(), unbuffered=True)
    print("printed")
    logging.getLogger("shop").info("record")

    assert (child.printed(), lines.events) == ("printed\n", ["INFO > record"])


def test_an_error_of_the_handler_is_shown_as_python_shows_it(lines: Lines, child: Child) -> None:
    """Also where the record is a line already: then the text says what nothing else says."""

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                _ = 1 / 0
            except ZeroDivisionError:
                self.handleError(record)

    child.begin(Broken(), ours=True)
    logging.getLogger("shop").info("record")

    assert lines.events == ["record"]
    assert child.printed("stderr").startswith("--- Logging error ---\nTraceback")


def test_a_handler_that_raises_leaves_printed_text_printed_text(lines: Lines, child: Child) -> None:
    class Raising(Printing):
        def emit(self, record: logging.LogRecord) -> None:
            super().emit(record)
            raise KeyboardInterrupt

    child.begin(Raising())
    with pytest.raises(KeyboardInterrupt):
        logging.getLogger("shop").info("record")
    print("printed")

    assert (lines.events, child.printed()) == (["INFO > record"], "printed\n")


def test_a_record_that_cannot_be_read_is_shown_as_the_handler_shows_it(lines: Lines, child: Child) -> None:
    class Constant(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            print("something happened")

    child.begin(Constant())
    logging.getLogger("shop").handle(logging.makeLogRecord({"levelname": None, "levelno": logging.ERROR}))

    assert (lines.events, child.printed()) == ([], "something happened\n")

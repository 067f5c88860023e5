"""What children write: which lines are theirs to render, which are only printed, and what is cut."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.harness.fakes import Lines, loop_of, recording_log, turn
from workerd.daemon.io.child_output import CUT, KEPT_LINES, LINE_BYTES, SHARE_BYTES, ChildOutput

MARK = "\x1e0123456789abcdef "


class Pipe:
    """A child's pipe with its marked output, and the log that it comes to."""

    def __init__(self, mark: str = MARK) -> None:
        self.loop = loop_of()
        log, self.lines = recording_log()
        reading, self.writing = os.pipe()
        self.output = ChildOutput(self.loop, log, reading)
        self.output.mark = mark.encode()
        self.output.identity = {"pid": 42, "job": "feed", "slot": "feed:1"}

    def write(self, text: bytes | str) -> None:
        """Write as a child does, reading on the other side as the daemon does."""
        left = text.encode() if isinstance(text, str) else text
        while left:
            written = os.write(self.writing, left[:60_000])
            left = left[written:]
            turn(self.loop)

    def hang_up(self) -> None:
        """The child's side is gone."""
        os.close(self.writing)
        self.writing = -1
        turn(self.loop)

    def close(self) -> None:
        self.output.close()
        if self.writing >= 0:
            os.close(self.writing)

    @property
    def printed(self) -> list[Any]:
        return [event["line"] for event in self.lines.of("child.output")]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def rendered(**fields: object) -> str:
    return json.dumps({"level": "info", "event": "order.shipped", **fields})


def test_a_marked_line_is_passed_on_as_it_is(pipe: Pipe) -> None:
    line = rendered(order=7)
    pipe.write(f"{MARK}{line}\n")

    assert pipe.lines.raw == [line.encode() + b"\n"]


def test_a_printed_line_becomes_an_event_with_the_childs_identity(pipe: Pipe) -> None:
    pipe.write("hello\n")
    (event,) = pipe.lines.events

    assert {**event, "timestamp": ""} == {
        "timestamp": "",
        "level": "info",
        "event": "child.output",
        "pid": 42,
        "job": "feed",
        "slot": "feed:1",
        "line": "hello",
    }


@pytest.mark.parametrize(
    "forged",
    [
        rendered(event="daemon.stopped"),
        f"\x1e{rendered()}",
        f"\x1e0000000000000000 {rendered()}",
        f" {MARK}{rendered()}",
        f"{MARK.strip()}{rendered()}",
    ],
)
def test_a_forged_event_is_only_output(pipe: Pipe, forged: str) -> None:
    pipe.write(f"{forged}\n")

    assert pipe.printed == [forged]
    assert len(pipe.lines.raw) == 1


def test_before_it_has_a_mark_nothing_is_believed() -> None:
    pipe = Pipe(mark="")
    pipe.write(f" {rendered()}\n")

    assert pipe.printed == [f" {rendered()}"]
    pipe.close()


def test_empty_lines_are_not_events(pipe: Pipe) -> None:
    pipe.write("\n  \n\t\nend\n")

    assert pipe.printed == ["end"]


def test_bytes_that_are_no_text_are_replaced(pipe: Pipe) -> None:
    pipe.write(b"caf\xe9\xff\n")

    assert pipe.printed == ["caf\ufffd\ufffd"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.booleans(), st.text("abc é", min_size=1, max_size=30)), max_size=12), st.data())
def test_lines_survive_however_the_chunks_are_torn(lines: list[tuple[bool, str]], data: st.DataObject) -> None:
    pipe = Pipe()
    whole = b"".join(f"{MARK if marked else ''}x{text}\n".encode() for marked, text in lines)
    for cut in data.draw(st.lists(st.integers(0, len(whole)), max_size=6).map(sorted)):
        pipe.write(whole[:cut])
        whole = whole[cut:]
    pipe.write(whole)
    expected = [line.encode() if marked else line for marked, text in lines for line in [f"x{text}"]]

    assert [_said(pipe, index) for index in range(len(pipe.lines.raw))] == expected
    pipe.close()


def _said(pipe: Pipe, index: int) -> bytes | str:
    line = pipe.lines.raw[index]
    if line.startswith(b"x"):
        return line.removesuffix(b"\n")
    return str(json.loads(line)["line"])


@pytest.mark.parametrize("length", [LINE_BYTES - 1, LINE_BYTES])
def test_a_line_of_64_kib_is_whole(pipe: Pipe, length: int) -> None:
    pipe.write("x" * length + "\n")

    assert pipe.printed == ["x" * length]


@pytest.mark.parametrize("length", [LINE_BYTES + 1, 3 * LINE_BYTES, 20 * LINE_BYTES])
def test_a_longer_line_is_cut_once_and_said_so(pipe: Pipe, length: int) -> None:
    pipe.write("x" * length + "\nnext\n")

    assert pipe.printed == ["x" * LINE_BYTES + CUT.decode(), "next"]


def test_the_tail_of_a_cut_line_is_no_line_even_at_the_end(pipe: Pipe) -> None:
    pipe.write("x" * (2 * LINE_BYTES) + "tail")
    pipe.output.close()

    assert pipe.printed == ["x" * LINE_BYTES + CUT.decode()]


def test_a_last_line_without_a_newline_is_said_at_the_end(pipe: Pipe) -> None:
    pipe.write("almost done")
    before = list(pipe.printed)
    pipe.hang_up()
    pipe.output.close()

    assert (before, pipe.printed) == ([], ["almost done"])


def test_draining_reads_what_is_there_and_waits_for_nobody(pipe: Pipe) -> None:
    """A grandchild may hold the pipe open for ever, so its end-of-file is not waited for."""
    grandchild = os.dup(pipe.writing)
    os.write(pipe.writing, b"last words\n")
    pipe.hang_up()
    os.write(grandchild, b"and more\n")
    pipe.output.drain()

    assert pipe.printed == ["last words", "and more"]
    os.close(grandchild)


def test_one_child_beyond_its_share_is_read_on_in_the_next_turn(pipe: Pipe) -> None:
    """While others have their turn; nothing is lost by it."""
    fcntl_set_pipe_size(pipe.writing, 1024 * 1024)
    os.write(pipe.writing, b"y" * 99 + b"\n")
    os.write(pipe.writing, (b"x" * 99 + b"\n") * 5000)
    turn(pipe.loop)
    first = len(pipe.printed)
    turn(pipe.loop)
    turn(pipe.loop)

    assert first * 100 <= SHARE_BYTES + 64 * 1024
    assert len(pipe.printed) == 5001


def fcntl_set_pipe_size(descriptor: int, size: int) -> None:
    import fcntl

    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, size)


def test_the_last_lines_are_kept_for_the_run(pipe: Pipe) -> None:
    pipe.write("".join(f"{number}\n" for number in range(200)))

    assert list(pipe.output.last_lines) == [b"%d" % number for number in range(200 - KEPT_LINES, 200)]


def test_a_capture_takes_printed_lines_and_leaves_events_alone(pipe: Pipe) -> None:
    heard: list[int] = []
    pipe.output.capture(lambda: heard.append(1))
    pipe.write(f'Thread 1:\n{MARK}{rendered()}\n  File "jobs.py"\n')
    lines = pipe.output.captured()
    pipe.write("after\n")

    assert lines == [b"Thread 1:", b'  File "jobs.py"']
    assert len(heard) == 2
    assert pipe.printed == ["after"]


def test_a_capture_keeps_no_more_than_a_stack_can_have(pipe: Pipe) -> None:
    """A hung child's other threads may print on and on; what is beyond a stack is output as ever."""
    pipe.output.capture(lambda: None)
    pipe.write(("z" * 999 + "\n") * 3000)

    assert sum(map(len, pipe.output.captured())) <= 300_000
    assert pipe.printed


def test_a_closed_output_may_be_closed_again_and_drained(pipe: Pipe) -> None:
    pipe.output.close()
    pipe.output.close()
    pipe.output.drain()

    assert pipe.lines.raw == []


def test_what_it_says_is_noted_as_a_sign_of_life(pipe: Pipe) -> None:
    before = pipe.loop.clock.monotonic()
    pipe.write("x")

    assert pipe.output.heard_at >= before


def test_lines_of_a_log_for_machines_are_json(pipe: Pipe) -> None:
    pipe.write('quote " and \\ and \x01\n')

    assert isinstance(pipe.lines, Lines)
    assert pipe.printed == ['quote " and \\ and \x01']

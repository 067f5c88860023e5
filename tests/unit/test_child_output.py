"""What children write: which lines are theirs to render, which are only printed, and what is cut."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.fakes import FakeClock, Lines, loop_of, recording_log, turn, turn_until
from tests.harness.properties import examples
from workerd.daemon.io.child_output import KEPT_LINES, ChildOutput
from workerd.daemon.io.child_stream import CHUNK_BYTES, LAST_WORDS_S, SHARE_BYTES, SHARE_LINES, STREAM_SHARE_S
from workerd.daemon.io.line_splitter import CUT, TAIL_BYTES
from workerd.daemon.rules.clock import Clock
from workerd.wire.marked_lines import LINE_BYTES, PACKET_BYTES, pack

SECRET = "\x1e0123456789abcdef"
MARK = f"{SECRET} "
HEAD_BYTES = LINE_BYTES - TAIL_BYTES


class Pipe:
    """A child's pipes with its marked output, and the log that they come to."""

    def __init__(self, mark: str = SECRET, clock: Clock | None = None) -> None:
        self.loop = loop_of(clock)
        log, self.lines = recording_log()
        stdout, self.writing = os.pipe()
        stderr, self.errors = os.pipe()
        self.output = ChildOutput(self.loop, log, stdout, stderr)
        self.output.mark = mark.encode()
        self.output.identity = {"pid": 42, "job": "feed", "slot": "feed:1"}

    def write(self, text: bytes | str, to: int | None = None) -> None:
        """Write as a child does, reading on the other side as the daemon does."""
        left = text.encode() if isinstance(text, str) else text
        while left:
            written = os.write(to or self.writing, left[:60_000])
            left = left[written:]
            self.read()

    def read(self) -> None:
        """Have the daemon read all that there is, in however many turns: a busy machine ends a share early."""
        turn(self.loop)
        while self.loop._next or self.loop._selector.select(0):
            turn(self.loop)

    def hang_up(self) -> None:
        """The child's side is gone."""
        os.close(self.writing)
        self.writing = -1
        turn(self.loop)

    def close(self) -> None:
        self.output.close()
        os.close(self.errors)
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
        "stream": "stdout",
        "line": "hello",
    }


def test_stdout_and_stderr_are_told_apart(pipe: Pipe) -> None:
    pipe.write("out\nhalf")
    pipe.write("half", to=pipe.errors)
    pipe.write(" a line\n")
    pipe.write(" an error\n", to=pipe.errors)
    said = [(event["stream"], event["line"]) for event in pipe.lines.of("child.output")]

    assert said == [("stdout", "out"), ("stdout", "half a line"), ("stderr", "half an error")]


def test_a_printed_line_has_the_level_that_it_names_and_nothing_else_of_what_it_says(pipe: Pipe) -> None:
    said = rendered(level="critical", event="child.parked", slot="other:1", run="a", timestamp="2000")
    pipe.write(f"{said}\n\rERROR: no room\n")
    pipe.write("Traceback (most recent call last):\n[WARNING/MainProcess] late\n", to=pipe.errors)
    events = pipe.lines.events

    assert {event["event"] for event in events} == {"child.output"}
    assert [(event["level"], event["stream"], event["line"]) for event in events] == [
        ("critical", "stdout", said),
        ("error", "stdout", "ERROR: no room"),
        ("info", "stderr", "Traceback (most recent call last):"),
        ("warning", "stderr", "[WARNING/MainProcess] late"),
    ]
    assert {(event["slot"], "run" in event) for event in events} == {("feed:1", False)}


def test_a_mark_in_stderr_is_nothing(pipe: Pipe) -> None:
    pipe.write(f"{MARK}{rendered()}\n", to=pipe.errors)

    assert pipe.printed == [f"{MARK}{rendered()}"]


@pytest.mark.parametrize(
    "forged",
    [
        rendered(event="daemon.stopped"),
        f"\x1e{rendered()}",
        f"\x1e0000000000000000 {rendered()}",
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


@settings(max_examples=examples(40))
@given(st.lists(st.tuples(st.booleans(), st.text("abc é", min_size=1, max_size=30)), max_size=12), st.data())
def test_lines_survive_however_the_chunks_are_torn(lines: list[tuple[bool, str]], data: st.DataObject) -> None:
    pipe = Pipe()
    expected = [f"{{{text}}}".encode() if marked else f"x{text}" for marked, text in lines]
    whole = b"".join(
        MARK.encode() + said + b"\n" if isinstance(said, bytes) else f"{said}\n".encode() for said in expected
    )
    for cut in data.draw(st.lists(st.integers(0, len(whole)), max_size=6).map(sorted)):
        pipe.write(whole[:cut])
        whole = whole[cut:]
    pipe.write(whole)

    assert [_said(pipe, index) for index in range(len(pipe.lines.raw))] == expected
    pipe.close()


def _said(pipe: Pipe, index: int) -> bytes | str:
    line = pipe.lines.raw[index]
    if not line.startswith(b'{"timestamp"'):
        return line.removesuffix(b"\n")
    return str(json.loads(line)["line"])


@pytest.mark.parametrize("length", [LINE_BYTES - 1, LINE_BYTES])
def test_a_line_within_the_limit_is_whole(pipe: Pipe, length: int) -> None:
    pipe.write("x" * length + "\n")

    assert pipe.printed == ["x" * length]


@pytest.mark.parametrize("length", [LINE_BYTES + 1, 3 * LINE_BYTES, 20 * LINE_BYTES + 7])
def test_of_a_longer_line_both_ends_are_kept(pipe: Pipe, length: int) -> None:
    text = "".join(f"{number:06}," for number in range(length // 7 + 1))[:length]
    pipe.write(f"{text}\nnext\n")

    cut = (CUT % (length - LINE_BYTES)).decode()
    assert pipe.printed == [text[:HEAD_BYTES] + cut + text[-TAIL_BYTES:], "next"]


def test_a_line_that_is_too_long_is_told_once_even_at_the_end(pipe: Pipe) -> None:
    pipe.write("x" * (2 * LINE_BYTES) + "FATAL")
    pipe.output.finish(lambda: None)

    [line] = pipe.printed
    assert line.endswith("xFATAL")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("10 %\r20 %\r100 %\n", ["100 %"]),
        ("\r10 %\r100 %\ndone\n", ["100 %", "done"]),
        ("10 %\r100 %\r\n", ["100 %"]),
        ("10 %\r    \rFATAL: no disk\n", ["FATAL: no disk"]),
        ("windows\r\nlines\r\n", ["windows", "lines"]),
        ("\r\r\n", []),
        ("10 %\r20 %\r", ["20 %"]),
        ("10 %\r20 %", ["20 %"]),
        ("10 %\r20 %\nlast words", ["20 %", "last words"]),
    ],
)
def test_what_is_written_over_is_not_shown(pipe: Pipe, written: str, shown: list[str]) -> None:
    for character in written:
        pipe.write(character)
    pipe.hang_up()
    pipe.output.finish(lambda: None)

    assert pipe.printed == shown
    assert [line.decode() for line in pipe.output.last_lines] == shown


def test_of_a_long_progress_bar_the_last_state_is_kept(pipe: Pipe) -> None:
    """The bar's 400 KiB have no newline; the line after it is whole."""
    for percent in range(4000):
        pipe.write(f"\r{percent:4} {'#' * 100}")
    pipe.write("\rFATAL: no disk\nnext\n")

    assert pipe.printed == ["FATAL: no disk", "next"]


def test_of_a_bar_of_long_states_the_last_is_whole(pipe: Pipe) -> None:
    states = [f"{percent:3} %{'#' * 2 * TAIL_BYTES}" for percent in range(10)]
    pipe.write("".join(f"\r{state}" for state in states) + "\nnext\n")

    assert pipe.printed == [states[-1], "next"]


def test_a_long_progress_bar_that_is_killed_shows_its_last_state(pipe: Pipe) -> None:
    pipe.write("x" * LINE_BYTES + "\r" + "y" * LINE_BYTES)
    for percent in range(1000):
        pipe.write(f"\r{percent:4} {'#' * 100}\r")
    pipe.output.finish(lambda: None)

    assert pipe.printed == [f" 999 {'#' * 100}"]


@pytest.mark.parametrize("half", ["50 %", "50 %\r", "\r50 %", "50 %\r\r", "49 %\r50 %\r  \r"])
def test_an_event_after_text_without_a_newline_is_an_event(pipe: Pipe, half: str) -> None:
    """A program that the job started, such as curl, leaves half a line."""
    pipe.write(f"{half}{MARK}{rendered(order=1)}\n{half}")
    pipe.write(f"{MARK}{rendered(order=2)}\nend\n")

    assert pipe.printed == ["50 %", "50 %", "end"]
    assert [event["order"] for event in pipe.lines.events if event["event"] == "order.shipped"] == [1, 2]


def test_an_event_after_text_that_is_too_long_is_an_event(pipe: Pipe) -> None:
    pipe.write("x" * 300_000)
    pipe.write(f"{MARK}{rendered(text='y' * 4000)}\n")

    assert pipe.printed == ["x" * HEAD_BYTES + pipe.printed[0][HEAD_BYTES:]]
    assert pipe.lines.events[-1]["event"] == "order.shipped"


def test_long_events_of_several_processes_do_not_mix(pipe: Pipe) -> None:
    """The kernel keeps each packet together, and no more."""
    lines = [rendered(text=letter * 30_000) for letter in "abc"]
    packets = [list(pack(SECRET.encode(), f"{number}", line.encode())) for number, line in enumerate(lines)]
    for several in zip(*packets, strict=True):
        for packet in several:
            assert len(packet) <= PACKET_BYTES
            pipe.write(packet + b"printed\n")

    assert [event["text"][0] for event in pipe.lines.events if event["event"] == "order.shipped"] == ["a", "b", "c"]
    assert set(pipe.printed) == {"printed"}


def test_an_event_that_is_not_whole_is_output(pipe: Pipe) -> None:
    """Its process was killed between two packets."""
    for number in range(30):
        pipe.write(next(pack(SECRET.encode(), f"{number}", rendered(text="x" * 5000).encode())))
    pipe.output.finish(lambda: None)

    assert len(pipe.printed) == 30
    assert all(line.startswith('{"level"') for line in pipe.printed)


@pytest.mark.parametrize(
    "torn", ["no object", "[1]", '{"event":"half', 'tail"}', '{"text":"' + "x" * LINE_BYTES + '"}'], ids=len
)
def test_a_marked_line_that_is_no_object_of_a_lines_length_is_output(pipe: Pipe, torn: str) -> None:
    for packet in pack(SECRET.encode(), "1", torn.encode()):
        pipe.write(packet)

    assert [line[:9] for line in pipe.printed] == [torn[:9]]


def test_each_line_is_json_and_journald_keeps_it_whole(pipe: Pipe) -> None:
    """Characters that JSON escapes take six bytes."""
    pipe.write("\0" * LINE_BYTES + "\n")
    pipe.write(f"{MARK}{rendered(text='x' * (LINE_BYTES - 200))}\n")

    assert max(map(len, pipe.lines.raw)) <= 48 * 1024
    assert len(pipe.lines.events) == 2


def test_a_last_line_without_a_newline_is_said_at_the_end(pipe: Pipe) -> None:
    pipe.write("almost done")
    before = list(pipe.printed)
    pipe.hang_up()
    pipe.output.finish(lambda: None)

    assert (before, pipe.printed) == ([], ["almost done"])


def test_draining_reads_what_is_there_and_waits_for_nobody(pipe: Pipe) -> None:
    """A grandchild may hold the pipe open for ever, so its end-of-file is not waited for."""
    grandchild = os.dup(pipe.writing)
    os.write(pipe.writing, b"last words\n")
    pipe.hang_up()
    os.write(grandchild, b"and more\n")
    pipe.read()

    assert pipe.printed == ["last words", "and more"]
    os.close(grandchild)


@pytest.mark.parametrize("line", [b"x\n", b"x" * 99 + b"\n", b"x" * 9999 + b"\n"])
def test_one_child_beyond_its_share_is_read_on_in_the_next_turn(pipe: Pipe, line: bytes) -> None:
    """While others have their turn; nothing is lost by it."""
    fcntl_set_pipe_size(pipe.writing, 1024 * 1024)
    count = min(20_000, 500_000 // len(line))
    os.write(pipe.writing, line * count)
    turn(pipe.loop)
    first = len(pipe.printed)
    pipe.read()

    assert first <= SHARE_LINES
    assert 0 < first * len(line) <= SHARE_BYTES + CHUNK_BYTES
    assert len(pipe.printed) == count


def test_a_share_ends_by_time_where_each_line_costs_much() -> None:
    clock = FakeClock()
    pipe = Pipe(clock=clock)
    take, shares = pipe.output.stdout._take, []

    def take_slowly(line: bytes) -> None:
        clock.advance(STREAM_SHARE_S / 3)
        take(line)

    pipe.output.stdout._take = take_slowly
    os.write(pipe.writing, b"x\n" * 20)
    while len(pipe.printed) < 20:
        before = len(pipe.printed)
        turn(pipe.loop)
        shares.append(len(pipe.printed) - before)

    assert shares == [3, 3, 3, 3, 3, 3, 2]
    pipe.close()


def test_a_child_without_patience_is_taken_at_once_however_long_it_takes() -> None:
    clock = FakeClock()
    pipe = Pipe(clock=clock)
    pipe.loop.unwatch(pipe.output.stdout.descriptor)
    take = pipe.output.stdout._take

    def take_slowly(line: bytes) -> None:
        clock.advance(STREAM_SHARE_S)
        take(line)

    pipe.output.stdout._take = take_slowly
    os.write(pipe.writing, b"x\n" * 20)
    told: list[int] = []
    pipe.output.finish(lambda: told.append(len(pipe.printed)), patience_s=0)

    assert told == [20]
    pipe.close()


def test_what_an_ended_child_has_left_is_taken_in_shares_too() -> None:
    """While others have their turn; its own end is told when all is said. Another process of the job writes on."""
    pipe = Pipe(clock=FakeClock())
    pipe.loop.unwatch(pipe.output.stdout.descriptor)
    os.write(pipe.writing, b"x\n" * 20_000)
    os.write(pipe.errors, b"half a line")
    told: list[int] = []
    pipe.output.finish(lambda: told.append(len(pipe.printed)))
    at_once = len(pipe.printed)
    os.write(pipe.writing, b"more\n")
    pipe.read()

    assert at_once <= SHARE_LINES
    assert told == [20_001]
    assert pipe.printed == ["x"] * 20_000 + ["half a line"]
    pipe.close()


def test_an_ended_child_that_has_left_too_much_loses_some_of_it_and_it_is_said() -> None:
    """Its last lines are kept, and its slot goes on."""
    clock = FakeClock()
    pipe = Pipe(clock=clock)
    pipe.loop.unwatch(pipe.output.stdout.descriptor)
    os.write(pipe.writing, b"".join(b"%d\n" % number for number in range(10_000)))
    told: list[int] = []
    pipe.output.finish(lambda: told.append(1))
    clock.advance(LAST_WORDS_S)
    pipe.read()

    [dropped] = pipe.lines.of("log.dropped")
    assert told == [1]
    assert dropped["lines"] == 10_000 - len(pipe.printed) > 0
    assert pipe.printed[-1] == "9999"
    pipe.close()


def test_a_line_that_cannot_be_told_costs_no_other(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe.loop, "_guard", lambda _error: None)
    good, failed = pipe.output.stdout._take, []

    def take(line: bytes) -> None:
        if line == b"bad":
            failed.append(line)
            raise OSError(errno.ENOMEM, "fake")
        good(line)

    pipe.output.stdout._take = take
    os.write(pipe.writing, b"1\nbad\n2\nbad")
    told: list[int] = []
    with suppress(OSError):
        pipe.output.finish(lambda: told.append(1))
    turn_until(pipe.loop, lambda: told)

    assert (pipe.printed, len(failed), told) == (["1", "2"], 2, [1])


def fcntl_set_pipe_size(descriptor: int, size: int) -> None:
    import fcntl

    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, size)


def test_the_last_lines_are_kept_for_the_run(pipe: Pipe) -> None:
    pipe.write("".join(f"{number}\n" for number in range(200)))

    assert list(pipe.output.last_lines) == [b"%d" % number for number in range(200 - KEPT_LINES, 200)]


def test_a_capture_takes_printed_lines_and_leaves_events_alone(pipe: Pipe) -> None:
    heard: list[int] = []
    pipe.output.capture(lambda: heard.append(1))
    pipe.write(f'Thread 1:\n{MARK}{rendered()}\n  File "jobs.py"\n\nThread 2:\n')
    lines = pipe.output.captured()
    pipe.write("after\n")

    assert lines == [b"Thread 1:", b'  File "jobs.py"', b"", b"Thread 2:"]
    assert len(heard) == 4
    assert pipe.printed == ["after"]


def test_a_capture_keeps_no_more_than_a_stack_can_have(pipe: Pipe) -> None:
    """A hung child's other threads may print on and on; what is beyond a stack is output as ever."""
    pipe.output.capture(lambda: None)
    pipe.write(("z" * 999 + "\n") * 1000)

    assert sum(map(len, pipe.output.captured())) <= 300_000
    assert pipe.printed


def test_a_closed_output_may_be_closed_again_and_drained(pipe: Pipe) -> None:
    pipe.output.close()
    pipe.output.close()
    pipe.read()

    assert pipe.lines.raw == []


def test_what_it_says_is_noted_as_a_sign_of_life(pipe: Pipe) -> None:
    before = pipe.loop.clock.monotonic()
    pipe.write("x")

    assert pipe.output.heard_at >= before


def test_lines_of_a_log_for_machines_are_json(pipe: Pipe) -> None:
    pipe.write('quote " and \\ and \x01\n')

    assert isinstance(pipe.lines, Lines)
    assert pipe.printed == ['quote " and \\ and \x01']

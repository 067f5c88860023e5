"""One run, in a forked process: what it says to the daemon, what it writes, how it stops and with which exit code."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.harness.waiting import eventually
from workerd.wire.channel import Channel
from workerd.wire.marked_lines import LINE_BYTES, PACKET_BYTES, Unpacker
from workerd.wire.messages import Bear, BecameReady, Born, Failed, License, Loaded, Message, RecycleAsked, Refused
from workerd.wire.page import HeartbeatPage
from workerd.wire.spec import JobSpec

from .secret_stories import SECRETS

pytestmark = pytest.mark.backends("sqlite")

ROOT = Path(__file__).resolve().parents[2]
JOBS = "tests.django.child_jobs"
MARK = "\x1e0123456789abcdef"
WITHIN_S = 30.0


class Runner:
    """The process ``tests.django.child_runner``, which forks the children."""

    def __init__(self, folder: Path) -> None:
        self.channel, theirs = Channel.pair()
        self.channel.socket.settimeout(WITHIN_S)
        stories = ("end_stories", "output_stories", "descriptor_jobs", "secret_stories", "surroundings_jobs")
        modules = (JOBS, *(f"tests.django.{name}" for name in stories))
        targets = [f"{module}.*" for module in modules]
        lists = {"TARGETS": targets, "COMMANDS": ["linger", "check", "heal", "shard"], "ENV": ["SHOP_*"]}
        env = {**os.environ, "WORKERD_SETTINGS": json.dumps(lists), "WORKERD_STATE_DIR": str(folder), **SECRETS}
        env["PYTHONPATH"] = os.pathsep.join((str(ROOT), str(ROOT / "django_site")))
        env["DATABASE_URL"] = f"sqlite:///{folder / 'runner.sqlite3'}"
        command = [sys.executable, "-m", "tests.django.child_runner", str(theirs.fileno())]
        self.process = subprocess.Popen(command, env=env, cwd=ROOT, pass_fds=[theirs.fileno()])
        theirs.close()

    def close(self) -> None:
        self.channel.close()
        assert self.process.wait(WITHIN_S) == 0


class Child:
    """One forked run, as the daemon sees it."""

    def __init__(self, runner: Runner, spec: JobSpec, index: int) -> None:
        self.runner = runner
        self.page = HeartbeatPage.create()
        self.page.want_processes(spec.processes)
        self.channel, theirs = Channel.pair()
        self.channel.socket.settimeout(WITHIN_S)
        pipes = [os.pipe(), os.pipe()]
        self._open = [reading for reading, _ in pipes]
        self._texts = dict.fromkeys(self._open, b"")
        runner.channel.send(Bear(1), [theirs.fileno(), pipes[0][1], pipes[1][1], self.page.descriptor])
        theirs.close()
        for _, writing in pipes:
            os.close(writing)
        self.pid = self._runner_answer()
        assert self.pid > 1, "the runner answers with another child's end: a signal to that number would meet ourselves"
        self.channel.send(License(spec.to_dict(), index, "run-1", 3, "node", "host", MARK))
        self.has_ended = False

    def wait_for(self, text: str) -> "Child":
        """Read until ``text`` was written."""
        deadline = time.monotonic() + WITHIN_S
        while text.encode() not in self.written:
            assert time.monotonic() < deadline, self.written
            assert self._read_some(), self.written
        return self

    def wait_until_asleep(self) -> "Child":
        """Wait until it is in the kernel: a signal just before a call that sleeps is heard after it, in any Python."""
        stat = Path(f"/proc/{self.pid}/stat")
        eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] == "S", WITHIN_S, "its sleep")
        return self

    def kill(self) -> "Child":
        """Kill it, where it has not ended yet."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return self

    def signal(self, number: int = signal.SIGTERM) -> "Child":
        os.kill(self.pid, number)
        return self

    def end(self) -> int:
        """Read everything that is left, and return the exit code."""
        while self._read_some():
            pass
        self.messages: list[Message] = []
        while (message := self.channel.receive()[0]) is not None:
            self.messages.append(message)
        self.channel.close()
        code = self._runner_answer()
        self.has_ended = True
        self.note = self.page.read_note()
        self.page.close()
        return code

    @property
    def streams(self) -> list[bytes]:
        """What it has written to stdout, and what to stderr."""
        return list(self._texts.values())

    @property
    def written(self) -> bytes:
        return b"\n".join(self.streams)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if isinstance(line, dict)]

    @property
    def printed(self) -> list[str]:
        return [line for line in self.lines if isinstance(line, str)]

    @property
    def said(self) -> list[str]:
        """What a person reads: printed lines, those of the text of events, and those of their tracebacks."""
        texts = (
            line if isinstance(line, str) else f"{line['event']}\n{line.get('exception', '')}" for line in self.lines
        )
        return [line for text in texts for line in text.split("\n")]

    @property
    def lines(self) -> list[str | dict[str, Any]]:
        """The printed lines, and the rendered ones as events."""
        unpacker = Unpacker(lambda _: None)
        lines: list[str | dict[str, Any]] = []
        for line in self.written.split(b"\n"):
            text, _, packet = line.partition(MARK.encode())
            if text:
                lines.append(text.decode())
            if packet and (rendered := unpacker.take(packet)) is not None:
                lines.append(json.loads(rendered))
        return lines

    @property
    def failed(self) -> Failed:
        [failed] = [message for message in self.messages if isinstance(message, Failed)]
        return failed

    def _read_some(self) -> bool:
        """Read what there is; False at the end of both pipes. A silent child is killed, or the runner would wait."""
        ready = select.select(self._open, [], [], WITHIN_S)[0] if self._open else []
        if self._open and not ready:
            self.kill()
            raise AssertionError(f"nothing more came: {self.written!r}")
        for reading in ready:
            chunk = os.read(reading, 65536)
            self._texts[reading] += chunk
            if not chunk:
                os.close(reading)
                self._open.remove(reading)
        return bool(self._open)

    def _runner_answer(self) -> int:
        message, _ = self.runner.channel.receive()
        assert isinstance(message, Born)
        return message.pid


def run_plainly(module: str, story: str) -> "subprocess.CompletedProcess[str]":
    """Run ``python -m MODULE STORY``, which a child is to be like."""
    command = [sys.executable, "-m", module, story]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False)


JobRun = Callable[..., Child]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    runner = Runner(tmp_path_factory.mktemp("runner"))
    yield runner
    runner.close()


@pytest.fixture
def run(runner: Runner) -> Iterator[JobRun]:
    """Run a job of ``child_jobs`` by its name, or whatever a spec names; a test that fails leaves none behind."""
    children: list[Child] = []

    def start(function: str = "", *, index: int = 0, name: str = "a-job", **fields: Any) -> Child:
        if function:
            fields["target"] = f"{JOBS}.{function}"
        children.append(Child(runner, JobSpec(name, **fields), index))
        return children[-1]

    yield start
    for child in children:
        if not child.has_ended:
            child.kill().end()


GRACEFUL = ["idle", "turns", "async_idle", "async_flag", "threaded", "plain", "async_plain"]


@pytest.mark.parametrize("function", GRACEFUL)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_gracefully(run: JobRun, function: str, number: int) -> None:
    child = run(function).wait_for("idle").wait_until_asleep().signal(number)

    assert child.end() == 0
    assert child.printed == ["idle", "stopped: True"]
    assert child.messages == [Loaded()]
    assert child.events == []


def test_a_command_ends_as_by_ctrl_c(run: JobRun) -> None:
    child = run(command="linger").wait_for("idle").wait_until_asleep().signal()

    assert child.end() == 0
    assert child.printed == ["idle", "stopped: True"]
    assert child.messages == [Loaded()]


def test_the_rows_own_stop_signal_ends_it_gracefully(run: JobRun) -> None:
    child = run("idle", stop_signal="QUIT").wait_for("idle").signal(signal.SIGQUIT)

    assert child.end() == 0
    assert child.printed == ["idle", "stopped: True"]


def test_a_second_signal_changes_nothing(run: JobRun) -> None:
    child = run("plain_slow_end").wait_for("idle").wait_until_asleep().signal().wait_for("ending").signal()

    assert child.end() == 0
    assert child.printed == ["idle", "ending", "stopped: True"]


def test_two_signals_at_once_are_one(run: JobRun) -> None:
    child = run("signal_self", kwargs={"numbers": [signal.SIGTERM, signal.SIGTERM, signal.SIGINT]})

    assert child.end() == 0
    assert child.printed == ["stopped: True"]


def test_a_sleeping_job_wakes_within_milliseconds(run: JobRun) -> None:
    child = run("idle").wait_for("idle")
    sent = time.monotonic()
    child.signal().wait_for("stopped")

    assert time.monotonic() - sent < 10.0  # milliseconds; the rest is for a machine under load
    assert child.end() == 0


def test_a_job_that_fails_while_it_stops_has_failed(run: JobRun) -> None:
    child = run("fail_when_asked").wait_for("idle").signal()

    assert child.end() == 1
    assert child.failed.message == "while stopping"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"function": "finish"}, 0),
        ({"function": "leave"}, 0),
        ({"function": "leave", "kwargs": {"code": 75}}, 75),
        ({"function": "leave", "kwargs": {"code": "in words"}}, 1),
        ({"function": "fail"}, 1),
        ({"function": "async_fail"}, 1),
        ({"command": "check"}, 0),
        ({"command": "linger --leave 4"}, 4),
        ({"command": "linger --fail 5"}, 5),
    ],
    ids=str,
)
def test_the_exit_code_says_how_it_ended(run: JobRun, fields: dict[str, Any], code: int) -> None:
    assert run(**fields).end() == code


def test_an_exception_is_told_and_is_one_event(run: JobRun) -> None:
    child = run("fail", kwargs={"message": r"wrong \0 \ud800"})

    assert child.end() == 1
    assert child.messages[0] == Loaded()
    assert (child.failed.exception, child.failed.message) == ("ValueError", "wrong \0 \ud800")
    assert child.failed.traceback.startswith("Traceback (most recent call last):\n  File")
    assert f"{JOBS.replace('.', '/')}.py" in child.failed.traceback.splitlines()[1]
    [event] = child.events
    assert (event["event"], event["level"], event["exception_type"]) == ("job.failed", "error", "ValueError")
    assert event["exception"].splitlines()[-1].startswith("ValueError: wrong")
    assert child.printed == []


def test_an_exception_of_any_size_and_kind_fits_a_message(run: JobRun) -> None:
    long = run("fail", kwargs={"message": r"\0", "times": 500_000})
    assert long.end() == 1
    assert len(long.failed.message) == 2000

    broken = run("fail", kwargs={"kind": "BrokenTextError"})
    assert broken.end() == 1
    assert broken.failed.exception == f"{JOBS}.BrokenTextError"
    assert broken.failed.message == "<RuntimeError in its __str__>"


REFUSED = {
    "os.system": ({"target": "os.system"}, "“os.system” is not a job that the project allows."),
    "through an import": ({"function": "os.system"}, f"“{JOBS}.os.system” is really “posix.system”"),
    "kwargs": ({"function": "fail", "kwargs": {"colour": 1}}, "takes no argument “colour”"),
    "no such variable": (
        {"function": "finish", "kwargs": {"key": {"$env": "SHOP_NO_SUCH"}}},
        "variable “SHOP_NO_SUCH”, which is not allowed or not set",
    ),
    "settings": ({"command": "check --settings=x"}, "“check” may not be given “--settings=x” in a row"),
    "rules": ({"function": "finish", "name": "two words"}, "name is 'two words': write letters"),
    "stop signal": ({"function": "finish", "stop_signal": "STOP"}, "stop_signal is 'STOP': choose one of TERM"),
    "command": ({"command": "flush"}, "“flush” is not a management command that the project allows."),
}


@pytest.mark.parametrize(("fields", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_may_not_run_is_refused_in_one_sentence(run: JobRun, fields: dict[str, Any], sentence: str) -> None:
    child = run(**fields)

    assert child.end() == 78
    [message] = child.messages
    assert isinstance(message, Refused)
    assert sentence in message.reason
    assert child.written == b"\n"


def test_a_job_says_what_it_has_to_say(run: JobRun) -> None:
    child = run("announce", processes=3, index=2)

    assert child.end() == 0
    assert child.messages == [Loaded(), BecameReady(), RecycleAsked()]
    assert child.printed == ["3"]
    assert child.note == "working on 4711"


def test_the_signals_of_django_frame_the_run(run: JobRun) -> None:
    child = run("leave", name="announced", kwargs={"code": 3})

    assert child.end() == 3
    assert child.printed == ["started run-1", "stopping 3"]
    [event] = child.events
    assert event["level"] == "error"
    assert "RuntimeError: a receiver that fails" in event["exception"]


def test_logs_arrive_structured_and_prints_as_they_are_in_order(run: JobRun) -> None:
    child = run("speak", processes=2, index=1)

    assert child.end() == 0
    texts = ["printed", "half a line", "\x1e not a mark \\udcff", "to stderr"]
    assert [line for line in child.printed if line in texts] == texts
    assert "TypeError: %d format: a real number is required, not str" in child.printed  # as logging itself says it
    spoke, warning, caught, after = child.events
    identity = {"job": "a-job", "slot": "a-job:1", "run": "run-1", "generation": 3, "pid": child.pid}
    assert spoke.items() >= {"level": "info", "event": "spoke", "logger": JOBS, "job_": "forged", **identity}.items()
    assert (
        warning.items() >= {"level": "warning", "event": "a warning", "logger": "shop", "order": 7, **identity}.items()
    )
    assert caught["event"] == "caught"
    assert caught["exception"].endswith("ZeroDivisionError: division by zero")
    assert after["event"] == "after half a line"
    assert (after["surrogate"], after["nul"], after["odd"]) == ("?", "\0", "{(1, 2): <class 'object'>}")
    assert list(spoke)[:4] == ["timestamp", "level", "event", "pid"]


def test_a_line_that_is_too_long_is_cut_and_stays_json(run: JobRun) -> None:
    child = run("speak", kwargs={"length": 200_000})

    assert child.end() == 0
    assert max(map(len, child.written.split(b"\n"))) < PACKET_BYTES
    spoke = child.events[0]
    assert "characters cut] …" in spoke["text"]
    assert len(json.dumps(spoke)) <= LINE_BYTES
    assert spoke["cut_from_bytes"] > 200_000
    assert spoke["event"] == "spoke"


def test_a_thread_that_fails_is_one_event(run: JobRun) -> None:
    child = run("fail_in_a_thread")

    assert child.end() == 0
    [event] = child.events
    assert event["event"] == "thread buyer failed"
    assert event["exception"].endswith("ValueError: in a thread")
    assert child.printed == []


@pytest.mark.parametrize("heartbeat", ["any", "explicit"])
def test_queries_beat_unless_only_explicit_beats_count(run: JobRun, heartbeat: str) -> None:
    child = run("query", heartbeat=heartbeat).wait_for("idle")
    before = child.page.last_beat
    deadline = time.monotonic() + (WITHIN_S if heartbeat == "any" else 0.3)
    while child.page.last_beat == before and time.monotonic() < deadline:
        time.sleep(0.001)
    has_beaten = child.page.last_beat > before
    child.signal()

    assert child.end() == 0
    assert has_beaten is (heartbeat == "any")


@pytest.mark.parametrize(("heartbeat", "counts"), [("any", False), ("explicit", False), ("group", True)])
def test_what_a_job_forks_gives_no_sign_of_its_life_unless_the_row_says_so(
    run: JobRun, heartbeat: str, counts: bool
) -> None:
    """Whatever it does: beats, waits, lines, queries."""
    child = run("busy_forks", heartbeat=heartbeat).wait_for("forks 3\n")
    before = bytes(child.page._bytes)
    child.wait_for("forks 30\n")
    if counts:  # all thirty may have been before the look
        eventually(lambda: bytes(child.page._bytes) != before, WITHIN_S, "a sign of life of a fork")
    is_changed = bytes(child.page._bytes) != before
    child.signal()

    assert child.end() == 0
    assert is_changed is counts
    assert child.note == ("of a fork" if counts else "")


@pytest.mark.parametrize("fields", [{"function": "heal"}, {"command": "heal"}], ids=str)
def test_code_without_turns_asks_on_a_new_connection_after_an_error(run: JobRun, fields: dict[str, Any]) -> None:
    child = run(**fields)

    assert child.end() == 0
    assert child.printed == ["anew: True"]


def test_what_a_job_forks_is_an_ordinary_process(run: JobRun) -> None:
    child = run("pool")

    assert child.end() == 0
    assert child.printed == ["[1, 2]", "ended"]


def test_what_a_job_forks_does_not_speak_in_its_name(run: JobRun) -> None:
    child = run("fork_and_fail")

    assert child.end() == 0
    assert child.printed[0] == "fork: 1"
    assert child.printed[-1] == "ValueError: in a fork"
    assert child.messages == [Loaded()]


def test_a_licence_that_makes_no_sense_is_a_fault_of_our_own(runner: Runner) -> None:
    child = Child(runner, JobSpec("a-job", target=5), 0)  # type: ignore[arg-type]  # as no ledger tells it

    assert child.end() == 70
    assert child.failed.exception == "AttributeError"

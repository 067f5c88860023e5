"""Fakes at the daemon's two ports, time and the log, and how a test turns a real loop without waiting."""

import gc
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.rules.clock import Clock, SystemClock


@dataclass
class FakeClock:
    """Stands still until it is advanced."""

    now: float = 1_000.0
    wall_now: float = 1_700_000_000.0
    used: float = 0.0
    boot_now: float = 5_000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.wall_now

    def boot(self) -> float:
        return self.boot_now

    def processor(self) -> float:
        return self.used

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.wall_now += seconds
        self.boot_now += seconds


@dataclass
class Lines:
    """The sink of a log: keeps what it is given."""

    raw: list[bytes] = field(default_factory=list)

    def write_line(self, line: bytes) -> None:
        self.raw.append(line)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw]

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return the events of this name, without the fields that every event has."""
        return [_bare(event) for event in self.events if event["event"] == name]


def _bare(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in {"timestamp", "level", "event", "pid"}}


def recording_log() -> tuple[EventLog, Lines]:
    lines = Lines()
    return EventLog(lines, console=False), lines


def loop_of(clock: Clock | None = None) -> Loop:
    """Return a loop in which a callback's error ends the test."""
    return Loop(clock or SystemClock(), _fail)


def _fail(error: Exception) -> None:
    raise error


def turn(loop: Loop) -> None:
    """One turn that does not sleep: what is ready and due is done."""
    loop.call_soon(lambda: None)
    loop.turn()


def turn_until(loop: Loop, condition: Callable[[], object], within: float = 30.0) -> None:
    """Turn a loop of the system's clock until ``condition`` is true."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        loop.call_in(0.005, lambda: None)
        loop.turn()


class Recorder:
    """Takes any call on any name and keeps it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: self.calls.append((name, *args))


def open_descriptors() -> set[str]:
    """Return what is open; not the folder that was looked into, nor what earlier tests have left to be collected."""
    gc.collect()
    return {entry.name for entry in list(Path("/proc/self/fd").iterdir()) if entry.is_symlink()}

"""No text that is not ours steers a terminal, wherever the daemon or the command writes to one."""

import io
import json
import re
import time
import unicodedata
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
import structlog
from django.core.management.base import OutputWrapper
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.fakes import Lines
from workerd import __main__ as main
from workerd.daemon.io.log import EventLog
from workerd.forksafe.audit import SharedSession
from workerd.ledger.set_aside import RefusedRecord
from workerd.management.status_table import format_status
from workerd.management.terminal import Terminal
from workerd.management.verbs.records import _table as records_table
from workerd.wire.console import format_event
from workerd.wire.visible import visible, visible_json, visible_lines

HOSTILE = {
    "title": "\x1b]0;owned\x07",
    "clear": "\x1b[2J\x1b[H",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "C1": "\x9b2J\x85",
    "newline": "fine\n12:00:00 [info     ] forged",
    "return": "fine\rforged",
    "backspace": "bad\b\b\bgood",
    "bidi": "\u202egnp.exe\u2066\u200f",
    "separator": "a\u2028b\u2029c",
    "invisible": "a\u200bb\ufeff\U000e0041",
    "half": "\ud83d",
}
TEXTS = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""They are ours."""


def acting(shown: str, allowed: str = "\n") -> set[str]:
    """Return the characters of what is shown that act on a terminal."""
    return {found for found in shown if unicodedata.category(found) in {"Cc", "Cf", "Zl", "Zp", "Cs"}} - set(allowed)


def in_status(text: str) -> str:
    daemon: dict[str, Any] = {
        "name": "shop", "host": "h", "pid": 1, "version": "1", "started": time.time(), "ready": True, "stopping": "",
        "generation": None, "forkserver_pid": None, "forkserver_ready": False, "forkserver_trouble": text,
        "database": {"reachable": False, "vendor": "", "trouble": text, "push": False}, "waiting": 0, "set_aside": 0,
        "significant_parked": [], "reload": text,
    }  # fmt: skip
    slot: dict[str, Any] = {
        "name": text, "job_name": text, "index": 0, "builtin": False, "state": "BACKOFF", "reason": text, "note": "",
        "since": time.time(), "pid": 1, "restarts": 0, "memory": None, "last_beat": None, "next_start": None,
    }  # fmt: skip
    other = {**slot, "reason": "", "note": text, "next_start": time.time()}
    shown = format_status({"daemon": daemon, "slots": [slot, other]})
    assert len(shown.splitlines()) == len(shown.split("\n")) == 10
    return shown


def in_an_event(text: str) -> str:
    fields: dict[str, Any] = {
        "timestamp": text, "level": text, "event": text, "slot": text, text: text, "deep": {text: [text]}, "pid": text,
    }  # fmt: skip
    shown = format_event(structlog.dev.ConsoleRenderer(colors=False, sort_keys=False), fields)
    assert "\n" not in shown
    return shown


def in_a_traceback(text: str) -> str:
    fields = {"event": "x", "exception": text, "traceback": text, "stack": text}
    return format_event(structlog.dev.ConsoleRenderer(colors=False), fields)


def in_the_console_log(text: str) -> str:
    lines = Lines()
    log = EventLog(lines, console=True)
    log.emit("child.output", text=text, level=None)
    log.relay(json.dumps({"event": text, "level": "info"}).encode())
    log.relay(json.dumps([text], ensure_ascii=False).encode("utf-8", "replace"))
    return COLOURS.sub("", b"".join(lines.raw).decode())


def in_a_message_of_a_verb(text: str) -> str:
    stream = io.StringIO()
    Terminal(OutputWrapper(stream)).write(f"idle: {text}")
    return stream.getvalue()


def in_the_records(text: str) -> str:
    record = RefusedRecord(1, "slot", text, 1, None, text, "2026-01-01")
    return records_table([record])


def in_the_audit(text: str) -> str:
    return str(SharedSession("10.0.0.1:5432", "10.0.0.2:40000", ((7, text), (8, text))))


def in_settings_that_do_not_load(text: str) -> str:
    class Broken:
        @property
        def INSTALLED_APPS(self) -> None:  # noqa: N802 - Django's name
            raise RuntimeError(text)

    with patch.object(main, "settings", Broken()):
        return main._load_settings()


PLACES = (
    in_status, in_an_event, in_a_traceback, in_the_console_log, in_a_message_of_a_verb, in_the_records, in_the_audit,
    in_settings_that_do_not_load,
)  # fmt: skip


@TEXTS
@pytest.mark.parametrize("place", PLACES)
def test_it_is_shown_and_does_not_act(place: Callable[[str], str], text: str) -> None:
    shown = place(text)

    assert acting(shown) == set()
    if place not in {in_a_traceback, in_a_message_of_a_verb, in_the_records, in_settings_that_do_not_load}:
        assert "\\" in shown


@given(st.text())
def test_whatever_the_text_it_is_on_one_line_and_what_is_harmless_stays(text: str) -> None:
    shown = visible(text)

    assert acting(shown, allowed="") <= {"\u200c", "\u200d", "\u0600"} | {c for c in text if c not in "\n\t\x1b"}
    assert len(shown.splitlines()) <= 1
    assert visible("Prüfung 💥 – “ok” \u0645") == "Prüfung 💥 – “ok” \u0645"


@given(st.text())
def test_a_line_of_json_means_the_same_as_before(text: str) -> None:
    line = json.dumps({"event": text}, ensure_ascii=False)

    assert json.loads(visible_json(line)) == json.loads(line)
    assert json.loads(visible_lines(json.dumps({"event": text}))) == {"event": text}

"""The level that a printed line names: the shapes of known loggers, and all that only looks like them."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.properties import examples
from workerd.daemon.rules.printed_level import JSON_BYTES, KEYS, LEVELS, LOOKED_AT, printed_level
from workerd.wire.marked_lines import LINE_BYTES

NAMED = {
    # celery, multiprocessing, gunicorn, uvicorn
    "[2026-01-01 10:00:00,000: WARNING/MainProcess] Connected to redis": "warning",
    "[2026-01-01 10:00:00,000: INFO/ForkPoolWorker-1] Task shop.ship succeeded": "info",
    "[INFO/MainProcess] process shutting down": "info",
    "[DEBUG/ForkPoolWorker-1:2] running": "debug",
    "[2026-01-01 10:00:00 +0000] [123] [INFO] Listening at: http://127.0.0.1:8000 (123)": "info",
    "[2026-01-01 10:00:00 +0000] [123] [CRITICAL] WORKER TIMEOUT (pid:124)": "critical",
    "INFO:     127.0.0.1:34567 - 'GET / HTTP/1.1' 200 OK": "info",
    # the standard library's: basicConfig, the examples of its HOWTO and of Django's documentation
    "WARNING:shop.orders:no address": "warning",
    "CRITICAL:root:the disk is full": "critical",
    "ERROR: no such table": "error",
    "error: pathspec 'x' did not match": "error",
    "fatal: not a git repository": "critical",
    "Warning: Permanently added 'host' to the list of known hosts.": "warning",
    "2026-01-01 10:00:00,000 ERROR shop.orders no address": "error",
    "2026-01-01 10:00:00,000 [ERROR] shop.orders: no address": "error",
    "2026-01-01 10:00:00,000 - shop.orders - DEBUG - looked": "debug",
    "2026-01-01 10:00:00,000 4711 INFO shop odoo.modules: loaded": "info",
    "INFO 2026-01-01 10:00:00,000 views 123 456 shown": "info",
    "[ERROR] no address": "error",
    # structlog, loguru, servers, programs in Go, Rust, Node and Java
    "2026-01-01 10:00:00 [info     ] shipped                        order=7": "info",
    "2026-01-01T10:00:00.123456Z [error    ] failed order=7": "error",
    "2026-01-01 10:00:00.123 | SUCCESS  | shop.orders:ship:12 - shipped": "info",
    "2026/01/01 10:00:00 [crit] 123#0: *1 no room": "critical",
    "2026-01-01 10:00:00.000 UTC [123] ERROR:  relation does not exist": "error",
    "2026-01-01T10:00:00.000000Z 0 [Warning] [MY-010068] CA certificate is self signed": "warning",
    "2026-01-01T10:00:00.000000Z  WARN shop::orders: no address": "warning",
    "\x1b[2m2026-01-01T10:00:00.000000Z\x1b[0m \x1b[33m WARN\x1b[0m \x1b[2mshop\x1b[0m: no address": "warning",
    "\x1b[32mINFO\x1b[0m:     Started server process": "info",
    "2026-01-01T10:00:00.000+0100\terror\tshop/main.go:12\tno address": "error",
    "2026-01-01 10:00:00.000  INFO 123 --- [main] c.s.Orders : shipped": "info",
    # key=value
    "level=warn msg=slow": "warning",
    'time="2026-01-01T10:00:00Z" level=fatal msg="no room"': "critical",
    'ts=2026-01-01T10:00:00Z caller=main.go:12 level="info" msg=up': "info",
    'time=2026-01-01T10:00:00.000Z level=INFO msg="set level=error"': "info",
    'msg="set \\" level=error" level=debug': "debug",
    # JSON
    '{"level":"warn","msg":"slow"}': "warning",
    '{"event": "shipped", "tags": ["a", {"level": "error"}], "level": "info"}': "info",
    '{"levelname": "ERROR", "message": "no address"}': "error",
    '{"severity": "NOTICE", "message": "up"}': "info",
    '{"@timestamp": "2026-01-01T10:00:00Z", "log.level": "error", "message": "no address"}': "error",
    '{"name":"shop","hostname":"a","pid":1,"level":50,"msg":"failed","v":0}': "error",
    '{"level":10}': "debug",
    '{"level":35}': "info",
    '{"level":60}': "critical",
    '{"level":{"name":"error"},"severity":"warning"}': "warning",
}

UNNAMED = (
    "",
    " ",
    "{",
    "[",
    "shipped 7 orders",
    "an ERROR amid prose",
    "ERROR amid prose",
    "an error: amid prose",
    "2026-01-01 10:00:00 there was an ERROR",
    "2026-01-01 10:00:00 saw [ERROR] in the file",
    "2026-01-01 ERROR",
    "10:00:00 ERROR no date",
    '[01/Jan/2026 10:00:00] "GET /error/ HTTP/1.1" 500 145',
    "Traceback (most recent call last):",
    '  File "shop/orders.py", line 7, in ship',
    "ValueError: ERROR: no address",
    "shop.errors.Error: no address",
    "KeyError: 'level'",
    "/srv/shop/orders.py:7: DeprecationWarning: level=error",
    "we set level=error today",
    "https://example.org/?a=1&level=error",
    "a=1&level=error",
    'msg="level=error',
    "level=",
    "level=loud",
    "level=errors",
    "sublevel=error",
    "[ 12.345] error",
    "[loud] prose",
    "LOUD: prose",
    "alert: the stock is low",
    "note: no level",
    '{"level":"loud"}',
    '{"level":{"level":"error"}}',
    '{"level":["error"]}',
    '{"level":true}',
    '{"level":null}',
    '{"level":3}',
    '{"level":-10}',
    '{"level":50.0}',
    '{"level":1e400}',
    '{"level":NaN}',
    '{"level":"\\ud800"}',
    '{"level":"ërror"}',
    '{"level":"error"} and prose',
    '{"level":"error"',
    '{"request":{"level":"error"}}',
    '{"text":"\\"level\\":\\"error\\""}',
    '["level", "error"]',
    '"level=error"',
)

HOSTILE = {
    "deep JSON": b'{"level":' * 1700,
    "deep lists": b'{"level":' + b"[" * 10_000,
    "a number of JSON without end": b'{"level":' + b"9" * 10_000 + b"}",
    "JSON that is too long": b'{"level":"error","x":"%s"}' % (b"x" * JSON_BYTES),
    "only brackets": b"[" * LINE_BYTES,
    "only quotes": b'a="' * (LINE_BYTES // 3),
    "only pairs": b"a=1 " * (LINE_BYTES // 4),
    "pairs of backslashes": b'a="' + b"\\" * LINE_BYTES,
    "a level after more than is looked at": b'msg="%s" level=error' % (b"x" * LOOKED_AT),
    "only dashes behind a time": b"2026-01-01 10:00:00" + b" -" * (LINE_BYTES // 2),
    "only blanks behind a time": b"2026-01-01 10:00:00" + b" " * LINE_BYTES,
    "only names behind a time": b"2026-01-01 10:00:00" + b" - x" * (LINE_BYTES // 4),
    "colours alone": b"\x1b[" * (LINE_BYTES // 2),
    "a colour without end": b"\x1b[" + b"3" * LINE_BYTES,
    "bytes that are no text": b"\xff\xfe\x00" * (LINE_BYTES // 3),
}
"""Lines that name no level, and over which a careless pattern would sit for seconds."""


@pytest.mark.parametrize(("line", "level"), NAMED.items())
def test_a_line_of_a_known_shape_has_its_level(line: str, level: str) -> None:
    assert printed_level(line.encode()) == level


@pytest.mark.parametrize("line", UNNAMED)
def test_any_other_line_has_none(line: str) -> None:
    assert printed_level(line.encode()) is None


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line_has_none_and_takes_no_time(name: str) -> None:
    began = time.thread_time()

    assert printed_level(HOSTILE[name]) is None
    assert time.thread_time() - began < 0.05


@pytest.mark.parametrize(("level", "name"), [(level, name) for level, names in LEVELS.items() for name in names])
def test_each_name_counts_in_each_shape(level: str, name: str) -> None:
    lines = [
        f"[{name}] text",
        f"[2026-01-01 10:00:00,000: {name.upper()}/MainProcess] text",
        f"{name.upper()}:shop:text",
        f"2026-01-01 10:00:00,000 {name.upper()} text",
        f"2026-01-01 10:00:00 [{name}] text",
        f"level={name} msg=text",
        *(json.dumps({key: spelled}) for key in KEYS for spelled in (name, name.upper(), name.title())),
    ]

    assert {line: printed_level(line.encode()) for line in lines} == dict.fromkeys(lines, level)


PIECES = st.sampled_from(
    [*'[]{}:="\\ \t-|,/\x1b\r', "level", "ERROR", "info", "2026-01-01", "10:00:00", ",000", "Z", "\x1b[0m", "x", "7"]
)


@settings(max_examples=examples(500), deadline=None)
@given(st.one_of(st.binary(max_size=2000), st.lists(PIECES, max_size=60).map(lambda pieces: "".join(pieces).encode())))
def test_whatever_a_line_is_the_answer_is_a_level_of_the_log_or_none(line: bytes) -> None:
    assert printed_level(line) in {*LEVELS, None}


@settings(max_examples=examples(200), deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_whatever_json_says_as_its_level_the_answer_is_a_level_of_the_log_or_none(value: object) -> None:
    assert printed_level(json.dumps({"level": value}).encode()) in {*LEVELS, None}


@settings(max_examples=examples(200), deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters=":=[{\x1b"), max_size=300))
def test_prose_without_the_marks_of_a_logger_has_none(text: str) -> None:
    assert printed_level(f"x{text}".encode()) is None

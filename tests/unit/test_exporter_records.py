"""Lines of the log as OpenTelemetry has them, decoded from what its own encoder makes of them."""

import json
import uuid
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from workerd.exporter.collector import make_lanes, resource_of
from workerd.exporter.records import Records, is_end_of_run
from workerd.wire.trace_context import span_id
from workerd.wire.words import FAILURES, GOOD, Outcome

RUN = str(uuid.UUID(int=7, version=4))
EXITED = {
    "timestamp": "2026-01-01T00:00:10.000250Z",
    "level": "error",
    "event": "child.exited",
    "pid": 7,
    "job": "feed",
    "slot": "feed:1",
    "run": RUN,
    "generation": 3,
    "outcome": "crashed",
    "exit_code": None,
    "signal": "SIGSEGV",
    "reason": "killed by SIGSEGV",
    "seconds": 2.5,
}
TEN_S = 1767225610 * 10**9 + 250_000
RECORDS = Records(Resource({}), InstrumentationScope("workerd", "1"))


def line_of(fields: Any) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def record_of(fields: Any) -> Any:
    """Return the protobuf's record, once through its bytes."""
    request = encode_logs([RECORDS.record_of(line_of(fields))])
    request = type(request).FromString(request.SerializeToString())
    return request.resource_logs[0].scope_logs[0].log_records[0]


def span_of(fields: Any) -> Any:
    request = encode_spans([RECORDS.span_of(line_of(fields))])
    request = type(request).FromString(request.SerializeToString())
    return request.resource_spans[0].scope_spans[0].spans[0]


def plain(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}


@pytest.mark.parametrize(
    ("level", "number"),
    [("debug", 5), ("info", 9), ("warning", 13), ("error", 17), ("critical", 21), ("loud", 0), (None, 0), ([], 0)],
)
def test_the_severity_is_that_of_the_level(level: object, number: int) -> None:
    record = record_of({"event": "x", "level": level})

    assert (record.severity_number, record.severity_text) == (number, level if isinstance(level, str) else "")


def test_a_record_has_time_body_attributes_and_the_runs_names() -> None:
    record = record_of(EXITED)

    assert (record.time_unix_nano, record.body.string_value) == (TEN_S, "child.exited")
    assert (record.trace_id, record.span_id) == (uuid.UUID(RUN).bytes, span_id(RUN).to_bytes(8))
    assert plain(record.attributes) == {
        "workerd.event": "child.exited",
        "process.pid": 7,
        "workerd.job": "feed",
        "workerd.slot": "feed:1",
        "workerd.run": RUN,
        "workerd.generation": 3,
        "workerd.outcome": "crashed",
        "workerd.signal": "SIGSEGV",
        "workerd.reason": "killed by SIGSEGV",
        "seconds": 2.5,
    }


def test_the_body_of_a_printed_line_is_the_line() -> None:
    record = record_of({"event": "child.output", "line": "printed", "stream": "stdout"})

    assert record.body.string_value == "printed"


def test_no_field_of_a_job_takes_the_place_of_one_of_workerds() -> None:
    forged = {"event": "x", "workerd.job": "other", "job": "feed", "process.pid": 1, "pid": 7}

    assert plain(record_of(forged).attributes) == {"workerd.event": "x", "workerd.job": "feed", "process.pid": 7}


def test_a_span_has_the_runs_names_times_attributes_and_status() -> None:
    span = span_of(EXITED)

    assert (span.name, span.trace_id, span.span_id) == ("feed", uuid.UUID(RUN).bytes, span_id(RUN).to_bytes(8))
    assert span.parent_span_id == b""
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (TEN_S - 2_500_000_000, TEN_S)
    assert (span.status.code, span.status.message) == (2, "killed by SIGSEGV")
    assert plain(span.attributes) == {
        "process.pid": 7,
        "workerd.job": "feed",
        "workerd.slot": "feed:1",
        "workerd.run": RUN,
        "workerd.generation": 3,
        "workerd.outcome": "crashed",
        "workerd.signal": "SIGSEGV",
        "workerd.reason": "killed by SIGSEGV",
    }


@pytest.mark.parametrize("outcome", Outcome)
def test_a_failure_is_an_error(outcome: Outcome) -> None:
    status = span_of(EXITED | {"outcome": outcome.value}).status

    assert (status.code == 2) is (outcome in FAILURES)
    assert status.code != 2 or outcome not in GOOD


def test_a_span_is_of_the_daemons_own_line_about_the_end_of_a_job() -> None:
    line = line_of(EXITED)

    assert is_end_of_run(own=True, line=line)
    assert not is_end_of_run(own=False, line=line)
    assert not is_end_of_run(own=True, line=line_of(EXITED | {"job": "workerd.ledger"}))
    assert not is_end_of_run(own=True, line=line_of(EXITED | {"event": "child.born"}))
    assert not is_end_of_run(own=True, line=line_of({"event": "child.output", "line": line.decode()}))
    for left_out in ("timestamp", "job", "run", "outcome", "seconds"):
        less = {name: value for name, value in EXITED.items() if name != left_out}
        assert not is_end_of_run(own=True, line=line_of(less))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*EXITED, "line", "exception", "other"]) | st.text(st.characters(codec=None))


@given(st.dictionaries(FIELDS, JSON, max_size=8))
@example({"event": "x", "timestamp": "9999-12-31T23:59:59Z"})
@example({"event": "x", "timestamp": "0001-01-01T00:00:00+14:00"})
@example({"event": "x", "generation": 2**64, "run": "00000000-0000-0000-0000-000000000000"})
def test_whatever_a_job_logs_can_be_sent(fields: dict[str, Any]) -> None:
    record_of(fields)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_sent_as_it_is(line: bytes) -> None:
    record = RECORDS.record_of(line).log_record

    assert record.body == line.decode("utf-8", "replace")
    assert encode_logs([RECORDS.record_of(line)]).SerializeToString()


# from whom, and where to


def test_the_resource_is_the_node_unless_the_environment_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = resource_of("shop", "host", "1.2").attributes
    assert {name: ours[name] for name in ("service.name", "service.instance.id", "host.name", "workerd.version")} == {
        "service.name": "shop",
        "service.instance.id": "shop@host",
        "host.name": "host",
        "workerd.version": "1.2",
    }
    monkeypatch.setenv("OTEL_SERVICE_NAME", "billing")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=other,team=a")

    theirs = resource_of("shop", "host", "1.2").attributes
    assert (theirs["service.name"], theirs["host.name"], theirs["team"]) == ("billing", "other", "a")


def test_either_signal_may_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def lanes() -> list[str]:
        return [lane.what for lane in make_lanes("http://[::1]:1", "shop", "host", "1")]

    assert lanes() == ["logs", "spans"]
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    assert lanes() == ["spans"]
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "None")
    assert lanes() == []

"""A line of the log as OpenTelemetry has it: as a record of a log, and, where a run has ended, as a span."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

from workerd.wire.json_lines import as_text
from workerd.wire.trace_context import SAMPLED, span_id, trace_id
from workerd.wire.words import FAILURES

SEVERITIES: Mapping[str, SeverityNumber] = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
}
NAMES: Mapping[str, str] = {
    "event": "workerd.event",
    "pid": "process.pid",
    "job": "workerd.job",
    "slot": "workerd.slot",
    "run": "workerd.run",
    "generation": "workerd.generation",
    "outcome": "workerd.outcome",
    "exit_code": "process.exit.code",
    "signal": "workerd.signal",
    "reason": "workerd.reason",
    "exception": "exception.stacktrace",
    "exception_type": "exception.type",
}
"""The attributes that workerd's fields become; any other field keeps its name."""
OF_A_SPAN = ("pid", "job", "slot", "run", "generation", "outcome", "exit_code", "signal", "reason")
OF_AN_END = {"timestamp", "job", "run", "outcome", "seconds"}
INT_RANGE = range(-(2**63), 2**63)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Fields = Mapping[str, Any]


class Records:
    """Makes records of lines; all of them have the resource and the scope of this node."""

    def __init__(self, resource: Resource, scope: InstrumentationScope) -> None:
        self._resource = resource
        self._scope = scope

    def record_of(self, line: bytes) -> ReadableLogRecord:
        """Return the record of a line, whoever wrote it; one that is no JSON object is the body as it is."""
        fields = read(line)
        event, level = _text(fields.get("event", "")), fields.get("level")
        record = LogRecord(
            timestamp=nanoseconds(fields.get("timestamp")),
            context=set_span_in_context(NonRecordingSpan(span_context(fields.get("run")))),
            severity_text=_text(level) if isinstance(level, str) else None,
            severity_number=SEVERITIES.get(str(level), SeverityNumber.UNSPECIFIED),
            body=_text(fields["line"]) if event == "child.output" and "line" in fields else event,
            attributes=attributes(fields, [name for name in fields if name not in {"timestamp", "level"}]),
        )
        return ReadableLogRecord(record, self._resource, self._scope)

    def span_of(self, line: bytes) -> ReadableSpan:
        """Return the span of the run whose end the line tells: see ``is_end_of_run``."""
        fields = read(line)
        end = nanoseconds(fields["timestamp"]) or 0
        failed = fields["outcome"] in FAILURES
        return ReadableSpan(
            _text(fields["job"]),
            span_context(fields["run"]),
            resource=self._resource,
            attributes=attributes(fields, OF_A_SPAN),
            status=Status(StatusCode.ERROR, _text(fields.get("reason") or "")) if failed else Status(StatusCode.UNSET),
            start_time=end - round(fields["seconds"] * 1e9),
            end_time=end,
            instrumentation_scope=self._scope,
        )


def is_end_of_run(own: bool, line: bytes) -> bool:
    """Return whether a line is the daemon's own, and tells the end of a job's run: then it has OF_AN_END."""
    if not own or b'"event":"child.exited"' not in line:
        return False
    fields = read(line)
    return fields.get("event") == "child.exited" and fields.keys() >= OF_AN_END and "." not in fields["job"]


def read(line: bytes) -> dict[str, Any]:
    """Return the fields of a line; its text as the event where it is no JSON object."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    return fields if isinstance(fields, dict) else {"event": line.decode("utf-8", "replace")}


def attributes(fields: Fields, names: list[str] | tuple[str, ...]) -> dict[str, str | bool | int | float]:
    """Return these fields under the names of attributes, without those that have no value."""
    named = sorted(names, key=lambda name: name in NAMES)  # no field of a job takes the place of one of workerd's
    return {NAMES.get(name, _text(name)): _value(fields[name]) for name in named if fields.get(name) is not None}


def span_context(run: object) -> SpanContext:
    """Return the names of a run's span; those of no span where ``run`` is no UUID."""
    try:
        return SpanContext(trace_id(str(run)), span_id(str(run)), is_remote=False, trace_flags=TraceFlags(SAMPLED))
    except ValueError:
        return SpanContext(0, 0, is_remote=False)


def nanoseconds(timestamp: object) -> int | None:
    """Return a timestamp of the log in nanoseconds since 1970, None where it is none."""
    try:
        moment = datetime.fromisoformat(str(timestamp))
    except ValueError:
        return None
    if moment.tzinfo is None or moment < _EPOCH:
        return None
    found = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    return found if found in INT_RANGE else None


def _value(value: Any) -> str | bool | int | float:
    if isinstance(value, bool | float) or (isinstance(value, int) and value in INT_RANGE):
        return value
    return _text(as_text(value))


def _text(value: object) -> str:
    """Return a text that UTF-8 has: JSON may hold halves of characters."""
    return str(value).encode("utf-8", "replace").decode()

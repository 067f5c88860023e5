"""The ways to the collector: OpenTelemetry's own exporters over HTTP for logs and for spans, each in a lane."""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from .lane import Lane, Sent
from .records import Records, is_end_of_run

NEVER_TAKEN = frozenset({400, 413, 415, 422})
"""The statuses that are about the batch. What any other one is about may be put right: it is sent again."""
REASON_CHARACTERS = 300


def make_lanes(endpoint: str, node: str, host: str, version: str) -> list[Lane]:
    """Return the lanes of this node, not started. ``OTEL_LOGS_EXPORTER`` or ``OTEL_TRACES_EXPORTER`` may be none."""
    logging.getLogger().addHandler(logging.NullHandler())  # why nothing is taken is said by events, not line by line
    records = Records(resource_of(node, host, version), InstrumentationScope("workerd", version))
    base, lanes = endpoint.rstrip("/"), []
    if _is_wanted("LOGS"):
        session = Session()
        to_logs = OTLPLogExporter(f"{base}/v1/logs", session=session)
        send = _sender(records.record_of, to_logs.export, LogRecordExportResult.SUCCESS, session)
        lanes.append(Lane("logs", lambda _own, _line: True, send))
    if _is_wanted("TRACES"):
        session = Session()
        to_spans = OTLPSpanExporter(f"{base}/v1/traces", session=session)
        send = _sender(records.span_of, to_spans.export, SpanExportResult.SUCCESS, session)
        lanes.append(Lane("spans", is_end_of_run, send))
    return lanes


def resource_of(node: str, host: str, version: str) -> Resource:
    """Return who sends: ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` go before what workerd knows."""
    ours = {"service.name": node, "service.instance.id": f"{node}@{host}", "host.name": host}
    return Resource.create({**ours, "workerd.version": version}).merge(OTELResourceDetector().detect())


class Session(requests.Session):
    """Remembers what came of the last request, which the exporters do not tell."""

    def __init__(self) -> None:
        super().__init__()
        self.status: int | None = None
        self.reason = ""

    def forget(self) -> None:
        """Remember nothing."""
        self.status, self.reason = None, ""

    def request(self, *words: Any, **options: Any) -> requests.Response:
        self.forget()
        try:
            response = super().request(*words, **options)
        except requests.RequestException as error:
            self.reason = f"{type(error).__name__}: {error}"[:REASON_CHARACTERS]
            raise
        self.status, self.reason = response.status_code, f"{response.status_code} {response.reason}"
        return response


def _sender(
    make: Callable[[bytes], Any], export: Callable[[list[Any]], object], success: object, session: Session
) -> Callable[[Sequence[bytes]], tuple[Sent, str]]:
    """Return what sends lines as what ``make`` makes of each."""

    def send(lines: Sequence[bytes]) -> tuple[Sent, str]:
        session.forget()
        if export([make(line) for line in lines]) is success:
            return Sent.TAKEN, ""
        if not session.reason:
            return Sent.REFUSED, "they cannot be written as OTLP"
        return (Sent.REFUSED if session.status in NEVER_TAKEN else Sent.FAILED), session.reason

    return send


def _is_wanted(signal: str) -> bool:
    return os.environ.get(f"OTEL_{signal}_EXPORTER", "").strip().lower() != "none"

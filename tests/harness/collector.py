"""A collector for OTLP over HTTP that decodes by OpenTelemetry's own protobuf classes; it may refuse, or hang."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from .waiting import WITHIN_S, eventually

OK = 200
LOGS, TRACES = "/v1/logs", "/v1/traces"


class Received(NamedTuple):
    """A record of a log, or a span: ``message`` is the protobuf's."""

    message: Any
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Collector(ThreadingHTTPServer):
    """Listens on a port of its own; keeps what it has answered with 200."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.records: list[Received] = []
        self.spans: list[Received] = []
        self.status = OK
        self.seen_headers: list[dict[str, str]] = []
        self.refused = 0
        """How many requests were answered with another status, or left hanging."""
        self.answers = threading.Event()
        """Unset, it answers nobody."""
        self.answers.set()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def records_of(self, event: str, run: str = "", **attributes: Any) -> list[Received]:
        """Return the records of this event so far; ``attributes`` are those of workerd."""
        wanted = {"event": event, **({"run": run} if run else {}), **attributes}
        return [one for one in tuple(self.records) if _fits(one, wanted)]

    def wait_record(self, event: str, run: str = "", within: float = WITHIN_S, **attributes: Any) -> Received:
        return eventually(lambda: self.records_of(event, run, **attributes), within, f"a record of {event}")[0]

    def spans_of(self, name: str = "", run: str = "") -> list[Received]:
        """Return the spans of this name and of this run so far; "" is for any."""
        wanted = {"run": run} if run else {}
        return [one for one in tuple(self.spans) if name in {"", one.message.name} and _fits(one, wanted)]

    def wait_span(self, name: str = "", run: str = "", within: float = WITHIN_S) -> Received:
        return eventually(lambda: self.spans_of(name, run), within, f"a span {name} of {run}")[0]

    def take(self, path: str, body: bytes) -> None:
        if path == LOGS:
            logs = ExportLogsServiceRequest.FromString(body)
            for of_resource in logs.resource_logs:
                for of_scope in of_resource.scope_logs:
                    self._keep(self.records, of_scope.log_records, of_resource.resource.attributes)
        elif path == TRACES:
            spans = ExportTraceServiceRequest.FromString(body)
            for resource_spans in spans.resource_spans:
                for scope_spans in resource_spans.scope_spans:
                    self._keep(self.spans, scope_spans.spans, resource_spans.resource.attributes)

    @staticmethod
    def _keep(kept: list[Received], messages: Any, resource: Any) -> None:
        kept += [Received(message, _plain(message.attributes), _plain(resource)) for message in messages]

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that has hung up


def _fits(one: Received, attributes: dict[str, Any]) -> bool:
    return all(one.attributes.get(f"workerd.{name}") == value for name, value in attributes.items())


def _plain(attributes: Any) -> dict[str, Any]:
    return {pair.key: _value(pair) for pair in attributes}


def _value(pair: KeyValue) -> Any:
    value: AnyValue = pair.value
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind is not None else None


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if not self.server.answers.is_set():
            self.server.refused += 1
            self.server.answers.wait(60)
            return  # the client has given up by then
        status = self.server.status
        if status == OK:
            self.server.take(self.path, body)
            self.server.seen_headers.append(dict(self.headers))
        else:
            self.server.refused += 1
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    """Yield a collector that runs."""
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, name="collector", daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            collector.answers.set()
            collector.shutdown()
            thread.join()

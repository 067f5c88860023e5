"""Logs and runs by OTLP, decoded by OpenTelemetry's own classes; a collector that fails costs no job anything."""

import itertools
import os
import signal
import time
import uuid
from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.harness.backends.backend import Databases
from tests.harness.collector import OK, Collector, collecting
from tests.harness.daemon import Daemon, running
from tests.harness.modules import write_module
from tests.harness.project import Project
from tests.harness.waiting import eventually

EXPORTER = "workerd.exporter"
LATER_S = 60.0
"""A collector that was away is tried again after at most 30 s."""
STOPS_WITHIN_S = 20.0
_numbers = itertools.count(1)

pytestmark = [pytest.mark.backends("any"), pytest.mark.slow]

JOBS = '''
import os
import subprocess

from workerd import JobContext, job


@job
def charge(context: JobContext) -> None:
    """Makes a span of its own, in the run's."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    parent = TraceContextTextMapPropagator().extract({"traceparent": context.traceparent})
    with provider.get_tracer("shop").start_as_current_span("charge the card", context=parent):
        context.log.warning("shop.charged", amount=12, card={"kind": "blue"}, empty=None)
    provider.shutdown()


@job
def pass_on(context: JobContext) -> None:
    """Has a program say what it was given."""
    given = subprocess.run(["printenv", "TRACEPARENT"], capture_output=True, text=True).stdout.strip()
    context.log.info("shop.passed_on", given=given, own=context.traceparent, state=os.environ.get("TRACESTATE", "none"))


@job
def pretend(context: JobContext) -> None:
    """Says, in each way that a job has, what only the daemon knows."""
    end = {"outcome": "hung", "seconds": 99.0, "reason": "pretended"}
    context.log.error("child.exited", **end)
    text = '{"timestamp":"2026-01-01T00:00:00Z","level":"error","event":"child.exited","pid":1,"job":"pretend",'
    print(text + f'"slot":"pretend","run":"{context.run_id}","outcome":"hung","seconds":99.0}}', flush=True)
    context.log.info("shop.pretended")


@job
def fail(context: JobContext) -> None:
    """Raises."""
    raise LookupError("no such order")
'''


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def project(
    template: str,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
    collector: Collector,
) -> Iterator[Project]:
    """A project of the whole module that sends to the collector."""
    name = f"workerd_otel_{os.getpid()}_{next(_numbers)}"
    databases.copy(template, name)
    with django_db_blocker.unblock():
        project = Project(tmp_path_factory.mktemp("otel"), databases, name)
        write_module(project, "shop_jobs", JOBS)
        project.settings |= {"OTLP_ENDPOINT": collector.endpoint, "PRELOAD": ["shop_jobs"]}
        project.extra_env |= {
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=abc",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=tests",
            "TRACESTATE": "other=1",
        }
        yield project
        project.close()


@pytest.fixture(scope="module")
def daemon(project: Project) -> Iterator[Daemon]:
    """The module's daemon, running; at the end it stops, and leaves nothing."""
    with running(project) as daemon:
        yield daemon


@pytest.fixture(autouse=True)
def willing(collector: Collector) -> Iterator[None]:
    """Have the collector take what it gets before each test, and after it."""
    yield
    collector.status = OK
    collector.answers.set()


def run(project: Project, daemon: Daemon, job: str) -> str:
    """Run a job of the module once, and return its run."""
    since = daemon.log.position
    project.jobs.filter(name=job).delete()
    eventually(lambda: not daemon.slot(job), what=f"no {job}")
    project.add_job(job, target=f"shop_jobs.{job}", restart="never")
    return str(daemon.wait_event("child.exited", since=since, job=job)["run"])


def test_logs_arrive_with_severity_body_attributes_and_resource(
    project: Project, daemon: Daemon, collector: Collector
) -> None:
    ran = run(project, daemon, "charge")

    started = collector.wait_record("daemon.started")
    charged = collector.wait_record("shop.charged", ran)
    assert started.message.severity_number == SeverityNumber.SEVERITY_NUMBER_INFO
    assert (started.message.trace_id, started.message.span_id) == (b"", b"")
    assert charged.message.severity_number == SeverityNumber.SEVERITY_NUMBER_WARN
    assert charged.message.severity_text == "warning"
    assert charged.message.body.string_value == "shop.charged"
    assert charged.message.trace_id == uuid.UUID(ran).bytes
    assert (
        charged.attributes
        | {
            "workerd.job": "charge",
            "workerd.slot": "charge",
            "amount": 12,
            "card": '{"kind":"blue"}',
        }
        == charged.attributes
    )
    assert "empty" not in charged.attributes
    (event,) = daemon.events("shop.charged", run=ran)
    for name, field in (("process.pid", "pid"), ("workerd.generation", "generation")):
        assert charged.attributes[name] == event[field]
    assert (
        charged.resource
        | {
            "service.name": "tests",
            "deployment.environment.name": "tests",
            "telemetry.sdk.name": "opentelemetry",
        }
        == charged.resource
    )
    assert charged.resource["service.instance.id"] == f"tests@{charged.resource['host.name']}"
    assert collector.seen_headers[-1]["x-key"] == "abc"


def test_a_run_is_a_span_and_the_spans_of_its_job_are_in_it(
    project: Project, daemon: Daemon, collector: Collector
) -> None:
    ran = run(project, daemon, "charge")
    (exited,) = daemon.events("child.exited", run=ran)

    outer = collector.wait_span("charge", ran)
    (inner,) = [one for one in collector.spans_of("charge the card") if one.message.trace_id == uuid.UUID(ran).bytes]
    assert outer.message.trace_id == inner.message.trace_id == uuid.UUID(ran).bytes
    assert inner.message.parent_span_id == outer.message.span_id != b""
    assert outer.message.parent_span_id == b""
    assert outer.message.start_time_unix_nano <= inner.message.start_time_unix_nano
    assert inner.message.end_time_unix_nano <= outer.message.end_time_unix_nano
    lasted = (outer.message.end_time_unix_nano - outer.message.start_time_unix_nano) / 1e9
    assert lasted == pytest.approx(exited["seconds"])
    assert (
        outer.attributes
        | {
            "workerd.job": "charge",
            "workerd.slot": "charge",
            "workerd.outcome": "finished",
            "process.exit.code": 0,
        }
        == outer.attributes
    )
    assert outer.message.status.code == Status.STATUS_CODE_UNSET


def test_a_run_that_failed_is_a_span_with_an_error(project: Project, daemon: Daemon, collector: Collector) -> None:
    ran = run(project, daemon, "fail")

    span = collector.wait_span("fail", ran)
    failed = collector.wait_record("job.failed", ran)
    assert (span.message.status.code, span.attributes["workerd.outcome"]) == (Status.STATUS_CODE_ERROR, "error")
    assert "LookupError: no such order" in span.message.status.message
    assert failed.message.severity_number == SeverityNumber.SEVERITY_NUMBER_ERROR
    assert "no such order" in failed.attributes["exception.stacktrace"]


def test_a_program_that_a_job_starts_is_given_the_runs_span(
    project: Project, daemon: Daemon, collector: Collector
) -> None:
    ran = run(project, daemon, "pass_on")

    span, said = collector.wait_span("pass_on", ran), daemon.wait_event("shop.passed_on", run=ran)
    assert said["given"] == said["own"] == f"00-{span.message.trace_id.hex()}-{span.message.span_id.hex()}-01"
    assert said["state"] == "none"


def test_what_a_job_says_of_its_end_is_no_span(project: Project, daemon: Daemon, collector: Collector) -> None:
    ran = run(project, daemon, "pretend")

    span = collector.wait_span("pretend", ran)
    pretended = collector.wait_record("child.exited", ran, reason="pretended")
    collector.wait_record("child.exited", ran, outcome="finished")
    assert pretended.message.severity_number == SeverityNumber.SEVERITY_NUMBER_ERROR
    assert [one.attributes["workerd.outcome"] for one in collector.spans_of("pretend", ran)] == ["finished"]
    assert span.message.status.code == Status.STATUS_CODE_UNSET


def test_it_is_a_builtin_slot_that_a_reload_leaves_alone(project: Project, daemon: Daemon) -> None:
    before = daemon.wait_state(EXPORTER, "RUNNING")
    assert before["builtin"]

    daemon.ask({"verb": "reload"}, within=60)
    daemon.ask({"verb": "restart", "all": True}, within=60)

    assert daemon.wait_state(EXPORTER, "RUNNING")["pid"] == before["pid"]


@pytest.mark.parametrize("fault", ["answers 500", "hangs"])
def test_a_collector_that_fails_costs_no_job_anything_and_gets_all_later(
    project: Project, daemon: Daemon, collector: Collector, fault: str
) -> None:
    since = daemon.log.position
    collector.status = 500
    if fault == "hangs":
        collector.answers.clear()
    runs = [run(project, daemon, job) for job in ("fail", "pass_on")]
    for what in ("logs", "spans"):
        said = daemon.wait_event("export.failed", since=since, what=what)
        assert ("500" in said["reason"]) is (fault != "hangs"), said
    assert daemon.picture()["daemon"]["ready"]

    collector.status = OK
    collector.answers.set()

    for ran in runs:
        collector.wait_span(run=ran, within=LATER_S)
        collector.wait_record("child.born", ran, LATER_S)
        assert len(collector.records_of("child.born", ran)) == 1
    daemon.wait_event("export.recovered", since=since, what="spans", within=LATER_S)
    daemon.wait_event("export.recovered", since=since, what="logs", within=LATER_S)
    assert daemon.events("export.dropped", since=since) == []
    assert daemon.events("child.hung", since=since) == []


def test_one_that_was_killed_starts_again_and_sends_what_came_meanwhile(
    project: Project, daemon: Daemon, collector: Collector
) -> None:
    pid = daemon.wait_state(EXPORTER, "RUNNING")["pid"]
    os.kill(pid, signal.SIGSTOP)  # it reads no more, so that all of what follows is for the next one
    ran = run(project, daemon, "charge")
    os.kill(pid, signal.SIGKILL)
    daemon.wait_event("child.exited", pid=pid)

    collector.wait_span("charge", ran, LATER_S)
    collector.wait_record("child.exited", ran, LATER_S)
    assert daemon.wait_state(EXPORTER, "RUNNING")["pid"] != pid


def test_a_collector_that_hangs_does_not_hold_up_the_end(
    template: str, databases: Databases, project: Project, daemon: Daemon, collector: Collector
) -> None:
    """The last test of the daemon that all share: it is stopped, and started for what comes after."""
    collector.answers.clear()
    run(project, daemon, "charge")
    eventually(lambda: collector.refused, what="a request that hangs")
    began = time.monotonic()

    daemon.stop()

    assert time.monotonic() - began < STOPS_WITHIN_S
    assert daemon.events("child.killed", job=EXPORTER) == []
    dropped = daemon.events("export.dropped")
    assert {event["what"] for event in dropped} == {"logs", "spans"}
    collector.answers.set()
    daemon.start()

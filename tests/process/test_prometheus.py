"""The metrics of a real daemon are those of the table, and the expressions of dashboard and rules find them there."""

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.plugin import DjangoDbBlocker

from tests.harness import promql
from tests.harness.backends.backend import Databases
from tests.harness.backends.server import free_port
from tests.harness.daemon import Daemon, running
from tests.harness.project import Project
from tests.harness.prometheus import PROMETHEUS, Prometheus
from tests.harness.waiting import eventually
from tests.harness.web import read_page
from workerd.observer.figures import FIGURES

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]

SCRAPES = 3
"""As many are needed for a rate."""
RARE = {"workerd_connections_failed_total", "workerd_memory_mib"}
"""What this daemon has no series of: its database is there, and nothing has been looked at yet where a limit is set."""


class Watched(NamedTuple):
    """A daemon in whose metrics there is something of each kind."""

    daemon: Daemon
    target: str

    def scrape(self) -> dict[str, Metric]:
        """Return the families of a scrape by the names of the table."""
        text = read_page(f"http://{self.target}/metrics")
        families = list(text_string_to_metric_families(text))
        return {f"{family.name}_total" if family.type == "counter" else family.name: family for family in families}


@pytest.fixture(scope="module")
def watched(
    template: str, databases: Databases, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Watched]:
    name = f"workerd_prometheus_{os.getpid()}"
    databases.copy(template, name)
    with django_db_blocker.unblock():
        project = Project(tmp_path_factory.mktemp("prometheus"), databases, name)
        target = f"127.0.0.1:{free_port()}"
        project.settings |= {"HTTP_BIND": target, "ALERTS": ["tests.process.bad_jobs.alerts.note"]}
        project.extra_env["NOTIFIER_CALLS"] = str(project.folder / "alerts")
        project.add_job("idle", max_memory=1000)
        project.add_job("leave", kwargs={"code": 78}, significant=True)
        project.add_job("only", "idle", scope="fleet")
        project.add_job("finish", schedule="30 2 1 1 *", time_zone="UTC", restart="never")
        with running(project) as daemon:
            watched = Watched(daemon, target)
            daemon.wait_state("leave", "PARKED")
            daemon.wait_state("only", "RUNNING")
            assert daemon.ask({"verb": "trigger", "names": ["finish"], "to_end": True})["slots"]
            read_page(f"http://{target}/livez")
            yield watched
        project.close()


@pytest.fixture(scope="module")
def prometheus(watched: Watched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if PROMETHEUS is None and "WORKERD_REQUIRE_PROMETHEUS" not in os.environ:
        pytest.skip("no prometheus is here")
    server = Prometheus(tmp_path_factory.mktemp("server") / "prometheus", watched.target)
    try:
        server.wait_for(f"count_over_time(workerd_info[1m]) >= {SCRAPES}")
        yield server
    finally:
        server.stop()


def test_each_metric_is_in_the_table_with_its_labels_and_the_table_has_no_other(watched: Watched) -> None:
    found = watched.scrape()
    labels = {
        name: {label for one in family.samples for label in one.labels} - {"le"} for name, family in found.items()
    }
    ours = {name: family for name, family in found.items() if name.startswith("workerd_")}

    assert {name: family.type for name, family in ours.items()} == {name: row.kind for name, row in FIGURES.items()}
    wrong = {name: labels[name] for name in FIGURES if labels[name] not in (set(), set(FIGURES[name].labels))}
    assert wrong == {}
    assert {name for name, row in FIGURES.items() if row.labels and not labels[name]} <= RARE | {
        "workerd_connections_discarded_total"
    }


def test_the_expressions_ask_for_what_a_scrape_has(watched: Watched) -> None:
    found = watched.scrape()
    expressions = promql.expressions_of_the_board() | promql.expressions_of_rules()
    asked = {name for text in expressions.values() for name, _ in promql.selectors(text)} - {"up"}

    assert {promql.PARTS.sub("", name) for name in asked} - set(found) == set()


def test_prometheus_evaluates_each_expression_of_the_dashboard(watched: Watched, prometheus: Prometheus) -> None:
    found = watched.scrape()
    empty = []
    for where, expression in promql.expressions_of_the_board().items():
        names = {promql.PARTS.sub("", name) for name, _ in promql.selectors(expression)}
        has_series = all(found[name].samples for name in names)
        if not prometheus.query(expression) and has_series:
            empty.append((where, expression))

    assert empty == []


def test_each_rule_is_evaluated_and_one_that_fires_names_the_job_and_the_node(
    watched: Watched, prometheus: Prometheus
) -> None:
    def healths() -> dict[str, str]:
        groups = prometheus.get("rules")["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}

    eventually(lambda: "unknown" not in healths().values(), 60, "the first evaluation of each rule")
    (parked,) = prometheus.wait_for('ALERTS{alertname="WorkerdParked", alertstate="firing"}')
    labels: dict[str, Any] = parked["metric"]
    raised = {series["metric"]["alertname"] for series in prometheus.query("ALERTS")}

    assert healths() == dict.fromkeys(promql.expressions_of_rules(), "ok")
    assert (labels["job"], labels["instance"], labels["severity"]) == ("leave", watched.target, "critical")
    assert raised <= {"WorkerdParked", "WorkerdDown", "WorkerdCircle"}, "but for parked and crashing jobs all is well"


def test_a_job_that_crashes_again_and_again_goes_in_a_circle(watched: Watched, prometheus: Prometheus) -> None:
    """By the rule's own expression: it waits for no time of its own."""
    project = watched.daemon.project
    project.add_job("crash", backoff_initial=0, backoff_max=0, start_grace=0)
    watched.daemon.wait_events("child.exited", 8, job="crash", within=60)
    expression = promql.expressions_of_rules()["WorkerdCircle"].strip().removeprefix("|")
    found = prometheus.wait_for(expression)

    assert [series["metric"]["job"] for series in found] == ["crash"]

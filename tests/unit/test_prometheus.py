"""The metrics, and what is shipped for Prometheus and Grafana: names, types and labels are one and the same in all."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.harness import promql
from workerd.daemon.node.observer import Counters
from workerd.observer.figures import FIGURES
from workerd.observer.metrics import COUNTED, TIMED, render
from workerd.wire.alerts import ALERT_KINDS

PROMTOOL = shutil.which("promtool")
OF_PROMETHEUS = {"instance", "job", "le"}
ALERTS = {
    f"Workerd{name.title().replace('_', '')}": str(kind.severity)
    for name, kind in ALERT_KINDS.items()
    if name != "test"
}
"""By the name of a rule: how grave workerd's own alert of the kind is."""


def specimen() -> dict[str, Any]:
    """Return an answer to ``status`` in which each metric has a value."""
    slot = {
        "job_name": "feed", "state": "RUNNING", "resting": False, "down": False, "significant": True, "fleet": True,
        "token": 1, "last_beat": 1.0, "memory": 1.0, "last_success": 1.0, "next_due": 1.0, "due_failed": False,
        "missed": 0, "processor_s": 1.0, "descriptors": 5, "threads": 1,
    }  # fmt: skip
    daemon = {
        "name": "shop", "host": "web1", "version": "0", "started": 1.0, "ready": True, "generation": 1,
        "rejected": False,
        "halted": False, "database": {"reachable": True}, "unjournaled": 0, "waiting": 0, "set_aside": 0, "unheld": [],
        "alerts_unsent": 0,
    }  # fmt: skip
    events = [[event, *FIGURES[name].labels, 1] for event, name in COUNTED.items()]
    counters = Counters().snapshot() | {"events": events, "ends": [["feed", "error", 1]], "oom_kills": []}
    return {"daemon": daemon, "slots": [slot], "counters": counters}


def test_each_metric_has_the_type_and_the_labels_of_the_table_and_there_is_no_other() -> None:
    found = {}
    for family in text_string_to_metric_families(render(specimen()).decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = (family.type, {label for sample in family.samples for label in sample.labels} - {"le"})

    assert found == {name: (row.kind, set(row.labels)) for name, row in FIGURES.items()}
    assert {*TIMED.values()} == {name for name, row in FIGURES.items() if row.kind == "histogram"}


def test_no_label_is_without_a_bound() -> None:
    assert {label for row in FIGURES.values() for label in row.labels} == {
        *("name", "host", "version", "job", "state", "significant", "outcome", "alias", "reason", "error")
    }


def test_an_answer_of_an_older_daemon_is_shown_as_far_as_it_goes() -> None:
    status = specimen()
    for name in ("rejected", "halted", "unheld", "alerts_unsent"):
        del status["daemon"][name]
    for name in ("down", "significant", "due_failed", "fleet"):
        del status["slots"][0][name]
    del status["counters"]["ends"], status["counters"]["oom_kills"]
    text = render(status).decode()

    assert 'workerd_slots{job="feed",state="RUNNING"} 1.0' in text
    assert 'workerd_exits_total{job="feed",outcome="hung"} 0.0' in text


def unknown(expression: str) -> list[str]:
    """Return what an expression asks for that no scrape has."""
    found, labels = [], set(OF_PROMETHEUS)
    for name, chosen in promql.selectors(expression):
        row = FIGURES.get(name) or FIGURES.get(promql.PARTS.sub("", name))
        if name != "up" and row is None:
            found.append(name)
        labels |= set(row.labels) if row is not None else set()
        found += [f"{name}{{{label}}}" for label in chosen - {"instance"} - set(row.labels if row is not None else ())]
    return [*found, *(promql.grouped_by(expression) - labels)]


@pytest.mark.parametrize(("where", "expression"), promql.expressions_of_the_board().items())
def test_an_expression_of_the_dashboard_asks_for_what_there_is(where: str, expression: str) -> None:
    assert unknown(expression) == [], where


@pytest.mark.parametrize(("alert", "expression"), promql.expressions_of_rules().items())
def test_an_expression_of_a_rule_asks_for_what_there_is(alert: str, expression: str) -> None:
    assert unknown(expression) == [], alert


def test_what_there_is_not_is_found() -> None:
    assert unknown('sum by (slot) (rate(workerd_ends_total{outcome="x"}[1m])) / workerd_slots{run="7"}') == [
        "workerd_ends_total",
        "workerd_ends_total{outcome}",
        "workerd_slots{run}",
        "slot",
    ]


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for text in promql.expressions_of_the_board().values() for name, _ in promql.selectors(text)}

    assert {promql.PARTS.sub("", name) for name in shown} == set(FIGURES)


def test_the_panels_of_the_dashboard_lie_side_by_side() -> None:
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in promql.board()["panels"]]
    cells = [(x + dx, y + dy) for x, y, width, height in places for dx in range(width) for dy in range(height)]

    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _ in cells)
    assert len({panel["id"] for panel in promql.board()["panels"]}) == len(places)


def test_there_is_a_rule_as_grave_for_each_kind_of_alert_and_an_example_of_each() -> None:
    examples = set(re.findall(r"alertname: (\w+)", promql.EXAMPLES.read_text()))

    assert promql.severities_of_rules() == ALERTS
    assert examples == ALERTS.keys()


needs_promtool = pytest.mark.skipif(
    PROMTOOL is None and "WORKERD_REQUIRE_PROMETHEUS" not in os.environ, reason="no promtool is here"
)


def run_promtool(*words: str | Path) -> None:
    done = subprocess.run([PROMTOOL or "promtool", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


@needs_promtool
def test_prometheus_takes_the_rules_and_the_example_of_its_configuration() -> None:
    run_promtool("check", "rules", "--lint-fatal", promql.RULES)
    run_promtool("check", "config", promql.RULES.with_name("prometheus.yml"))


@needs_promtool
def test_each_alert_begins_and_ends_as_its_example_says() -> None:
    run_promtool("test", "rules", promql.EXAMPLES)


@needs_promtool
def test_prometheus_takes_what_a_scrape_has() -> None:
    """It checks help texts and names, too."""
    done = subprocess.run(
        [PROMTOOL or "promtool", "check", "metrics"], input=render(specimen()), capture_output=True, check=False
    )

    assert (done.returncode, done.stderr.decode()) == (0, "")

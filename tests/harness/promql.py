"""Expressions of Prometheus as far as the tests look into them: which metrics they take, by which labels."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "workerd.rules.yml"
EXAMPLES = DEPLOY / "prometheus" / "workerd.tests.yml"
BOARD = DEPLOY / "grafana" / "workerd.json"

PARTS = re.compile(r"_(bucket|count|sum)$")
"""What a histogram's series have at the end of their names."""
_SELECTOR = re.compile(r"\b(workerd_\w+|up)\b(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"\b(?:by|on|ignoring|without|group_left|group_right) \(([^)]*)\)")
VARIABLES = {"$__rate_interval": "1m", "$instance": ".*", "$job": ".*"}


def board() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads(BOARD.read_text())
    return found


def expressions_of_the_board() -> dict[str, str]:
    """Return each expression, as Grafana sends it, by its panel's title and its letter there."""
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in board()["panels"]
        for target in panel.get("targets", ())
    }
    for variable, value in VARIABLES.items():
        found = {where: expression.replace(variable, value) for where, expression in found.items()}
    return found


def expressions_of_rules() -> dict[str, str]:
    """Return each rule's expression by the alert's name."""
    parts = RULES.read_text().split("- alert: ")[1:]
    return {part.split()[0]: part.partition("expr:")[2].partition("labels:")[0] for part in parts}


def severities_of_rules() -> dict[str, str]:
    """Return how grave each rule says that its alert is, by the alert's name."""
    return dict(re.findall(r"- alert: (\w+).*?severity: (\w+)", RULES.read_text(), flags=re.DOTALL))


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric's name with the labels by which its series are chosen."""
    for name, matchers in _SELECTOR.findall(expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", matchers))


def grouped_by(expression: str) -> set[str]:
    """Return the labels by which the expression joins or groups."""
    return {label.strip() for labels in _GROUPING.findall(expression) for label in labels.split(",")}

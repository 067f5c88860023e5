"""The rules for the names of the jobs that a row waits for when the service starts."""

from typing import Any

from .rule import Rule, rule_of, shown
from .stored_json import JSON_COLUMNS, json_fault
from .texts import TEXT_LIMITS, name_fault

MAX_NAMES = 50


def names_fault(names: Any) -> str:
    if names is None:  # an earlier release has written the row
        return ""
    if fault := json_fault("starts_after", names):
        return fault
    for name in names:
        if not isinstance(name, str) or name_fault(name) or len(name) > TEXT_LIMITS["name"]:
            example = JSON_COLUMNS["starts_after"].example
            return f"starts_after holds {shown(name)}, which is no job's name: write names of jobs, such as {example}."
        if names.count(name) > 1:
            return f"starts_after names “{name}” more than once: remove the others."
    if len(names) > MAX_NAMES:
        return f"starts_after names {len(names)} jobs, more than {MAX_NAMES}: name those alone that this job needs."
    return ""


def itself_fault(name: str, names: list[str] | None) -> str:
    return f"starts_after names “{name}”, the job itself: remove it." if name in (names or ()) else ""


RULES: tuple[Rule, ...] = (
    rule_of("starts_after", names_fault),
    Rule(("name", "starts_after"), itself_fault, blames=("starts_after",)),
)

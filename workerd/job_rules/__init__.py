"""The rules that a row of Job must hold to, as far as its values alone can tell. Pure: standard library and ``wire``.

The model, the admin's form, the ledger (whose rows SQL may have written) and the child ask here, so a fault has the
same sentence wherever it is found. To add a rule, write a function from values to a sentence, and add a Rule for it to
the RULES of its group.
"""

from collections.abc import Container, Mapping
from functools import cache
from typing import Any

from workerd.wire.spec import JobSpec, with_defaults

from . import (
    choices,
    environment,
    kwargs,
    labels,
    order,
    program,
    ranges,
    starts_after,
    surroundings,
    texts,
    times,
    where,
)
from .rule import Fault, Rule, join_sentences

__all__ = ["FIELDS", "RULES", "Fault", "find_faults", "join_sentences", "values_of"]

_GROUPS = (
    texts,
    choices,
    ranges,
    kwargs,
    environment,
    surroundings,
    starts_after,
    program,
    order,
    times,
    where,
    labels,
)
RULES: tuple[Rule, ...] = tuple(
    # A form judges each field by itself first, so here, too, the rules between fields come last.
    sorted((rule for group in _GROUPS for rule in group.RULES), key=lambda rule: len(rule.reads) > 1)
)
"""A rule may rely on those before it: it is not asked about a field that is at fault already."""

FIELDS: tuple[str, ...] = tuple(dict.fromkeys(field for rule in RULES for field in rule.reads))
"""Every field that a rule reads."""


def find_faults(values: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with ``values``; a rule about a field that is not among them is not asked."""
    faults: list[Fault] = []
    at_fault: set[str] = set()
    for rule in _rules_to_ask(values):
        read = [values[field] for field in rule.reads if field in values and field not in at_fault]
        if len(read) == len(rule.reads) and (sentence := rule.find(*read)):
            faults += [Fault(field, sentence) for field in rule.blames]
            at_fault.update(rule.blames)
    return faults


def _rules_to_ask(values: Mapping[str, Any]) -> list[Rule]:
    """Return the rules that may find a fault: most values of most rows are the defaults."""
    defaults, by_field, always = _known_rules()
    numbers = {
        number
        for field, value in values.items()
        if field not in defaults or type(value) is not type(defaults[field]) or value != defaults[field]
        for number in by_field.get(field, ())
    }
    return [RULES[number] for number in sorted(numbers.union(always))]


@cache
def _known_rules() -> tuple[dict[str, Any], dict[str, tuple[int, ...]], tuple[int, ...]]:
    """Return the defaults as JSON has them, the numbers of each field's rules, and of those that refuse defaults."""
    defaults = {
        field: str(value) if isinstance(value, str) else value for field, value in JobSpec._field_defaults.items()
    }
    by_field = {field: tuple(n for n, rule in enumerate(RULES) if field in rule.reads) for field in FIELDS}
    of_defaults = ((n, rule) for n, rule in enumerate(RULES) if defaults.keys() >= set(rule.reads))
    return defaults, by_field, tuple(n for n, rule in of_defaults if rule.find(*map(defaults.get, rule.reads)))


def values_of(row: object, leave_out: Container[str] = ()) -> dict[str, Any]:
    """Return what the rules read of a spec or a model's instance."""
    return with_defaults({field: getattr(row, field) for field in FIELDS if field not in leave_out})

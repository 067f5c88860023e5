"""The rules that a row of Job must hold to, as far as its values alone can tell. Pure: standard library and ``wire``.

The model, the admin's form, the ledger (whose rows SQL may have written) and the child ask here, so a fault has the
same sentence wherever it is found. To add a rule, write a function from values to a sentence, and add a Rule for it to
the RULES of its group.
"""

from collections.abc import Container, Mapping
from typing import Any

from workerd.wire.spec import with_defaults

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
    for rule in RULES:
        read = [values[field] for field in rule.reads if field in values and field not in at_fault]
        if len(read) == len(rule.reads) and (sentence := rule.find(*read)):
            faults += [Fault(field, sentence) for field in rule.blames]
            at_fault.update(rule.blames)
    return faults


def values_of(row: object, leave_out: Container[str] = ()) -> dict[str, Any]:
    """Return what the rules read of a spec or a model's instance."""
    return with_defaults({field: getattr(row, field) for field in FIELDS if field not in leave_out})

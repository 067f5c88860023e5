"""The rules for a job's keyword arguments. Whether they fit the function, ``arguments`` says."""

from functools import partial

from .env_references import reference_fault
from .rule import Rule, rule_of
from .stored_json import json_fault

RULES: tuple[Rule, ...] = (
    rule_of("kwargs", partial(json_fault, "kwargs")),
    rule_of("kwargs", partial(reference_fault, "kwargs")),
)

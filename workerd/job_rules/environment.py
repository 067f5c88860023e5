"""The rules for the environment variables that a row sets: their names, and what a value may be."""

import re
from collections.abc import Mapping
from typing import Any

from .env_references import ENVIRONMENT_KEY, reference_fault
from .refused_names import refusal_of
from .rule import Rule, rule_of, shown
from .stored_json import json_fault, json_type

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def environment_fault(environment: Any) -> str:
    if environment is None:  # an earlier release has written the row
        return ""
    if fault := json_fault("environment", environment):
        return fault
    for name, value in environment.items():
        if fault := _name_fault(name) or _value_fault(name, value):
            return fault
    return reference_fault("environment", environment)


def _name_fault(name: str) -> str:
    if not _NAME.fullmatch(name):
        written = shown(name) if name else "''"
        return f"environment has the name {written}: write letters, digits and _, with no digit first."
    refusal = refusal_of(name)
    return f"environment sets {name}, which {refusal}." if refusal else ""


def _value_fault(name: str, value: Any) -> str:
    if isinstance(value, str) or (isinstance(value, Mapping) and ENVIRONMENT_KEY in value):
        return ""
    return f'environment.{name} is {json_type(value)}: write a text, or {{"{ENVIRONMENT_KEY}": "NAME"}}.'


RULES: tuple[Rule, ...] = (rule_of("environment", environment_fault),)

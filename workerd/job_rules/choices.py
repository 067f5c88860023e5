"""Flags, and columns that hold one of a few words."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from workerd.wire.spec import LATER_FIELDS
from workerd.wire.words import Heartbeat, Overlap, Restart, Scope, WithoutDatabase

from .rule import Rule, rule_of, shown

FLAGS = ("enabled", "signals_ready", "significant", "movable")
STOP_SIGNALS = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "restart": tuple(word.value for word in Restart),
    "heartbeat": tuple(word.value for word in Heartbeat),
    "stop_signal": STOP_SIGNALS,
    "overlap": tuple(word.value for word in Overlap),
    "scope": tuple(word.value for word in Scope),
    "without_database": tuple(word.value for word in WithoutDatabase),
}


def flag_fault(field: str, value: Any) -> str:
    if value is None and field in LATER_FIELDS:
        return ""
    return "" if isinstance(value, bool) else f"{field} is {shown(value)}: set it to true or false."


def choice_fault(field: str, value: Any) -> str:
    choices = CHOICES[field]
    if (field in LATER_FIELDS and (value is None or value == "")) or (isinstance(value, str) and value in choices):
        return ""
    return f"{field} is {shown(value)}: choose one of {', '.join(choices)}."


RULES: tuple[Rule, ...] = (
    *(rule_of(field, partial(flag_fault, field)) for field in FLAGS),
    *(rule_of(field, partial(choice_fault, field)) for field in CHOICES),
)

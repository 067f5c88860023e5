"""Flags, and columns that hold one of a few words."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from workerd.wire.words import Heartbeat, Restart

from .rule import Rule, rule_of, shown

FLAGS = ("enabled", "signals_ready", "significant")
STOP_SIGNALS = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "restart": tuple(word.value for word in Restart),
    "heartbeat": tuple(word.value for word in Heartbeat),
    "stop_signal": STOP_SIGNALS,
}


def flag_fault(field: str, value: Any) -> str:
    return "" if isinstance(value, bool) else f"{field} is {shown(value)}: set it to true or false."


def choice_fault(field: str, value: Any) -> str:
    choices = CHOICES[field]
    if isinstance(value, str) and value in choices:
        return ""
    return f"{field} is {shown(value)}: choose one of {', '.join(choices)}."


RULES: tuple[Rule, ...] = (
    *(rule_of(field, partial(flag_fault, field)) for field in FLAGS),
    *(rule_of(field, partial(choice_fault, field)) for field in CHOICES),
)

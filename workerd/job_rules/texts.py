"""Texts: their lengths, the characters that no database takes, and the letters of a name."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from workerd.wire.spec import LATER_FIELDS

from .rule import Rule, rule_of, shown

TEXT_LIMITS: Mapping[str, int] = {
    "name": 100,
    "target": 500,
    "command": 1000,
    "schedule": 200,
    "time_zone": 64,
    "working_directory": 1000,
    "umask": 5,
    "where": 400,
    "labels": 400,
    "source": 100,
}
"""The most characters of each column."""

UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL refuses a null character, and UTF-8 has no half of a surrogate pair."""

_SLUG = re.compile(r"[-a-zA-Z0-9_]+")


def text_fault(field: str, value: Any) -> str:
    if value is None and field in LATER_FIELDS:
        return ""
    if not isinstance(value, str):
        return f"{field} is {shown(value)}, not a text: write it as a text."
    if len(value) > TEXT_LIMITS[field]:
        return f"{field} has {len(value)} characters, more than {TEXT_LIMITS[field]}: shorten it."
    if UNWRITABLE.search(value):
        return f"{field} holds a null character or half a surrogate pair: remove it."
    return ""


def name_fault(name: str) -> str:
    return "" if _SLUG.fullmatch(name) else f"name is {shown(name)}: write letters, digits, - and _ only."


RULES: tuple[Rule, ...] = (
    *(rule_of(field, partial(text_fault, field)) for field in TEXT_LIMITS if field != "source"),
    rule_of("name", name_fault),
)

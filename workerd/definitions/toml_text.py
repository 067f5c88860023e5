"""Writes definitions as TOML that ``read_file`` reads as the same: one table a job, with the fields in one order."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workerd.job_rules.labels import as_table
from workerd.job_rules.written import DEFAULTS, LIMITS, NO_LIMIT, OBJECTS, default_of
from workerd.wire.visible import visible

from .definition import Definition

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def to_toml(definitions: Iterable[Definition], comments: Mapping[str, Sequence[str]] = {}) -> str:
    """Return a table for each job, without the fields that are as their default; ``comments`` has lines by job."""
    return "\n".join(_table(definition, comments.get(definition.name, ())) for definition in definitions)


def _table(definition: Definition, comments: Sequence[str]) -> str:
    lines = [f"# {visible(line)}".rstrip() for comment in comments for line in comment.splitlines() or [""]]
    lines.append(f"[jobs.{_key(definition.name)}]")
    values = definition.values
    said = [field for field in DEFAULTS if field in values and _is_said(field, values)]
    lines += [f"{field} = {_field(field, values[field])}" for field in said]
    return "".join(f"{line}\n" for line in lines)


def _is_said(field: str, values: Mapping[str, Any]) -> bool:
    value, default = values[field], default_of(field, values)
    if value is None and field not in LIMITS:
        return False  # a release before the column left it: it means the default
    return bool(value != default)


def _field(field: str, value: Any) -> str:
    if value is None:
        return _text(NO_LIMIT)
    if field == "labels" and isinstance(value, str):
        value = as_table(value)
    if field in OBJECTS and _holds_null(value):
        return _text(json.dumps(value, ensure_ascii=False))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str) and "\n" in value:
        return _long_text(value)
    return _value(value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    return str(value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    """Return a text on one line: between single quotes, which escape nothing, where that spares escapes."""
    if ('"' in text or "\\" in text) and "'" not in text and visible(text) == text:
        return f"'{text}'"
    return f'"{_escaped(text)}"'


def _long_text(text: str) -> str:
    """Return a text of several lines as these lines; the reader drops the first newline."""
    lines = "\n".join(map(_escaped, text.split("\n")))
    return f'"""\n{lines}"""'


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(character) or _escaped_character(character) for character in text)


def _escaped_character(character: str) -> str:
    if visible(character) == character:
        return character
    code = ord(character)
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _holds_null(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_null, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_null, value))
    return value is None

"""The columns that hold JSON: what of it Python can take, every database stores and one message carries to a child."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .texts import UNWRITABLE

MAX_DEPTH = 30
"""Lists and objects inside each other; MariaDB takes 31, and what copies and encodes them goes deeper with each."""
READABLE_DEPTH = 100
"""Values that nest deeper would end Python's recursion here and there, where a page shows them."""


@dataclass(frozen=True, slots=True)
class JsonColumn:
    """A column that holds JSON: an object or a list of at most ``most_bytes``."""

    kind: type[Mapping[str, Any]] | type[list[Any]]
    example: str
    most_bytes: int
    remedy: str
    """The advice for a value that takes more bytes."""

    @property
    def shape(self) -> str:
        """Return what to write, for a sentence."""
        return f"{'a list' if self.kind is list else 'an object'}, such as {self.example}"


JSON_COLUMNS: Mapping[str, JsonColumn] = {
    "kwargs": JsonColumn(
        Mapping, '{"warehouse": "main"}', 64 * 1024, "keep large values in a row or a file, and pass a reference"
    ),
    "environment": JsonColumn(Mapping, '{"QUEUE": "mail"}', 32 * 1024, "keep large values in a file, and set its path"),
    "starts_after": JsonColumn(list, '["redis-bridge"]', 16 * 1024, "name those alone that this job needs"),
}
"""The columns that people write, by name. All of them, and the texts of a row, fit one packet (``wire.packets``)."""

_JSON_TYPES: Mapping[Any, str] = {
    type(None): "null",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int | float: "a number",
    Mapping: "an object",
}


class UnreadableJson(str):
    """Stands for a value that another program has written and Python cannot take: the sentence that says why."""

    __slots__ = ()


def decode_json(field: str, text: str) -> Any:
    """Return what the JSON of a row or a form says, or UnreadableJson; ``field`` is the column for the sentence."""
    try:
        value = json.loads(text)
    except RecursionError:
        return UnreadableJson(_too_deep(field))
    except ValueError as error:
        reason = str(error).partition(";")[0]  # after it Python tells its programmer what to do
        column = JSON_COLUMNS.get(field)
        remedy = f"write {column.shape}" if column else "set it to null"
        return UnreadableJson(f"{field} is not JSON ({reason}): {remedy}.")
    if depth_of(value) > READABLE_DEPTH:
        return UnreadableJson(_too_deep(field))
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # JSON may spell half a surrogate pair, which no page can show
        return UnreadableJson(_unwritable(field))
    return value


def json_fault(field: str, value: Any) -> str:
    """Return what is wrong with ``value`` as JSON of that column."""
    column = JSON_COLUMNS[field]
    if isinstance(value, UnreadableJson):
        return str(value)
    if not isinstance(value, column.kind):
        return f"{field} is {json_type(value)}: write {column.shape}."
    try:
        size = len(json.dumps(value))
    except RecursionError:
        return _too_deep(field)
    except (TypeError, ValueError) as error:
        return f"{field} is not JSON ({error}): use texts, numbers, true, false, null, lists and objects."
    if size > column.most_bytes:
        return f"{field} takes {size} bytes, more than {column.most_bytes}: {column.remedy}."
    return _too_deep(field) if depth_of(value) > MAX_DEPTH else _leaf_fault(field, value)


def depth_of(value: Any) -> int:
    """Return how many lists and objects are inside each other, counting ``value``; 0 for a plain one."""
    depth, level = 0, [value]
    while level := [nested for nested in level if isinstance(nested, dict | list)]:
        depth += 1
        level = [inner for nested in level for inner in (nested.values() if isinstance(nested, dict) else nested)]
    return depth


def json_type(value: Any) -> str:
    """Return the kind of ``value`` as JSON calls it."""
    for cls, name in _JSON_TYPES.items():
        if isinstance(value, cls):
            return name
    return f"a {type(value).__name__}"


def _leaf_fault(field: str, value: Any) -> str:
    for leaf in _leaves(value):
        if isinstance(leaf, float) and not math.isfinite(leaf):
            return f"{field} holds {leaf}, which is not JSON: leave it out, or use null."
        if isinstance(leaf, str) and UNWRITABLE.search(leaf):
            return _unwritable(field)
    return ""


def _leaves(value: Any) -> Iterator[Any]:
    """Yield every key and every plain value, however deep."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple):
            waiting += item
        else:
            yield item


def _too_deep(field: str) -> str:
    return f"{field} nests deeper than {MAX_DEPTH} lists and objects: make it flatter."


def _unwritable(field: str) -> str:
    return f"{field} holds a text with a null character or half a surrogate pair: remove it."

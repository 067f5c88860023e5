"""A job's keyword arguments: an object that every database stores and that one message carries to the child."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from .rule import Rule, rule_of
from .texts import UNWRITABLE

MAX_KWARGS_BYTES = 64 * 1024
"""The JSON of the arguments travels in one message to the child."""
MAX_KWARGS_DEPTH = 30
"""Lists and objects inside each other; MariaDB takes 31, and what copies and encodes them goes deeper with each."""
READABLE_DEPTH = 100
"""Values that nest deeper would end Python's recursion here and there, where a page shows them."""
ENVIRONMENT_KEY = "$env"
"""``{"$env": "NAME"}`` stands for the environment variable NAME of the child."""

_EXAMPLE = 'such as {"warehouse": "main"}'
_JSON_TYPES: Mapping[Any, str] = {
    type(None): "null",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int | float: "a number",
}
_TOO_DEEP = f"kwargs nests deeper than {MAX_KWARGS_DEPTH} lists and objects: make it flatter."
_UNWRITABLE_TEXT = "kwargs holds a text with a null character or half a surrogate pair: remove it."


class UnreadableKwargs(str):
    """Stands for arguments that another program has written and Python cannot take: the sentence that says why."""

    __slots__ = ()


def decode_kwargs(text: str) -> Any:
    """Return what the JSON of a row or a form says, or UnreadableKwargs."""
    try:
        kwargs = json.loads(text)
    except RecursionError:
        return UnreadableKwargs(_TOO_DEEP)
    except ValueError as error:
        reason = str(error).partition(";")[0]  # after it Python tells its programmer what to do
        return UnreadableKwargs(f"kwargs is not JSON ({reason}): write an object, {_EXAMPLE}.")
    if depth_of(kwargs) > READABLE_DEPTH:
        return UnreadableKwargs(_TOO_DEEP)
    try:
        json.dumps(kwargs, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # JSON may spell half a surrogate pair, which no page can show
        return UnreadableKwargs(_UNWRITABLE_TEXT)
    return kwargs


def kwargs_fault(kwargs: Any) -> str:
    if isinstance(kwargs, UnreadableKwargs):
        return str(kwargs)
    if not isinstance(kwargs, Mapping):
        return f"kwargs is {_json_type(kwargs)}: write an object, {_EXAMPLE}."
    try:
        size = len(json.dumps(kwargs))
    except RecursionError:
        return _TOO_DEEP
    except (TypeError, ValueError) as error:
        return f"kwargs is not JSON ({error}): use texts, numbers, true, false, null, lists and objects."
    if size > MAX_KWARGS_BYTES:
        return (
            f"kwargs takes {size} bytes, more than {MAX_KWARGS_BYTES}: "
            "keep large values in a row or a file, and pass a reference."
        )
    return _TOO_DEEP if depth_of(kwargs) > MAX_KWARGS_DEPTH else _leaf_fault(kwargs)


def environment_fault(kwargs: Mapping[str, Any]) -> str:
    for path, variable in environment_names("kwargs", kwargs):
        if not isinstance(variable, str) or not variable or "=" in variable:
            return f'{path} names no environment variable: write {{"{ENVIRONMENT_KEY}": "NAME"}}.'
    return ""


def depth_of(value: Any) -> int:
    """Return how many lists and objects are inside each other, counting ``value``; 0 for a plain one."""
    depth, level = 0, [value]
    while level := [nested for nested in level if isinstance(nested, dict | list)]:
        depth += 1
        level = [inner for nested in level for inner in (nested.values() if isinstance(nested, dict) else nested)]
    return depth


def environment_names(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (path, variable) for each ``{"$env": variable}``; None for one that has other keys beside it."""
    if isinstance(value, Mapping):
        if ENVIRONMENT_KEY in value:
            yield path, value[ENVIRONMENT_KEY] if len(value) == 1 else None
            return
        for key, inner in value.items():
            yield from environment_names(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from environment_names(f"{path}[{index}]", inner)


def _leaf_fault(kwargs: Mapping[str, Any]) -> str:
    for leaf in _leaves(kwargs):
        if isinstance(leaf, float) and not math.isfinite(leaf):
            return f"kwargs holds {leaf}, which is not JSON: leave the argument out, or use null."
        if isinstance(leaf, str) and UNWRITABLE.search(leaf):
            return _UNWRITABLE_TEXT
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


def _json_type(value: Any) -> str:
    for cls, name in _JSON_TYPES.items():
        if isinstance(value, cls):
            return name
    return f"a {type(value).__name__}"


RULES: tuple[Rule, ...] = (rule_of("kwargs", kwargs_fault), rule_of("kwargs", environment_fault))

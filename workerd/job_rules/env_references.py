"""``{"$env": "NAME"}`` in a column of JSON stands for a variable of the environment: no secret is stored."""

from collections.abc import Iterator, Mapping
from typing import Any

ENVIRONMENT_KEY = "$env"


def reference_fault(field: str, value: Any) -> str:
    """Return the sentence for the first reference in ``value`` that names no variable."""
    for path, variable in environment_names(field, value):
        if not isinstance(variable, str) or not variable or "=" in variable:
            return f'{path} names no environment variable: write {{"{ENVIRONMENT_KEY}": "NAME"}}.'
    return ""


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

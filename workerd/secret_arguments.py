"""The arguments and environments of jobs without their secrets: what SECRET_KWARGS names, URLs with a password."""

from collections.abc import Mapping
from typing import Any

from .command_secrets import MASK, is_secret
from .job_rules.env_references import ENVIRONMENT_KEY
from .url_passwords import holds_password


def masked(kwargs: Any) -> Any:
    """Return kwargs with every secret value masked, however deep, but for {"$env": NAME}: that is only a name."""
    if isinstance(kwargs, Mapping):
        return {key: _hidden(value) if is_secret(key) else masked(value) for key, value in kwargs.items()}
    if isinstance(kwargs, list):
        return [masked(value) for value in kwargs]
    return MASK if holds_password(kwargs) else kwargs


def without_secrets(kwargs: Any, path: str) -> tuple[Any, list[str]]:
    """Return kwargs without every secret value, however deep, and the paths of what was left out."""
    left_out: list[str] = []
    return _without(kwargs, path, left_out), left_out


def _without(value: Any, path: str, left_out: list[str]) -> Any:
    if isinstance(value, Mapping):
        kept = {}
        for key, inner in value.items():
            if (is_secret(key) and _hidden(inner) is MASK) or holds_password(inner):
                left_out.append(f"{path}.{key}")
            else:
                kept[key] = _without(inner, f"{path}.{key}", left_out)
        return kept
    if isinstance(value, list):
        left_out += [f"{path}[{index}]" for index, inner in enumerate(value) if holds_password(inner)]
        kept_at = [(index, inner) for index, inner in enumerate(value) if not holds_password(inner)]
        return [_without(inner, f"{path}[{index}]", left_out) for index, inner in kept_at]
    return value


def _hidden(value: Any) -> Any:
    if value is None or (isinstance(value, Mapping) and set(value) == {ENVIRONMENT_KEY}):
        return value
    return MASK

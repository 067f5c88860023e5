"""Arguments whose names match ``WORKERD["SECRET_KWARGS"]``: shown as a mask; saving the mask changes nothing."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from workerd.conf import get_settings
from workerd.errors import WorkerdError
from workerd.job_rules.kwargs import ENVIRONMENT_KEY

MASK = "********"


class NothingStoredError(WorkerdError, ValueError):
    """A mask was saved where no secret is stored; ``path`` says where."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(path)


def masked(kwargs: Any) -> Any:
    """Return kwargs with every secret value masked, however deep, but for {"$env": NAME}: that is only a name."""
    if isinstance(kwargs, Mapping):
        return {key: _hidden(value) if is_secret(key) else masked(value) for key, value in kwargs.items()}
    return [masked(value) for value in kwargs] if isinstance(kwargs, list) else kwargs


def restored(kwargs: Any, stored: Any, path: str = "") -> Any:
    """Return kwargs with each mask replaced by the value stored at that place. Raises NothingStoredError."""
    if isinstance(kwargs, Mapping):
        known = stored if isinstance(stored, Mapping) else {}
        return {
            key: restored(value, known.get(key), f"{path}.{key}" if path else str(key)) for key, value in kwargs.items()
        }
    if isinstance(kwargs, list):
        before = stored if isinstance(stored, list) else []
        padded = [*before, *[None] * len(kwargs)]
        return [restored(value, padded[index], f"{path}[{index}]") for index, value in enumerate(kwargs)]
    if kwargs != MASK:
        return kwargs
    if stored is None:
        raise NothingStoredError(path)
    return stored


def is_secret(name: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in get_settings().secret_kwargs)


def _hidden(value: Any) -> Any:
    if value is None or (isinstance(value, Mapping) and set(value) == {ENVIRONMENT_KEY}):
        return value
    return MASK

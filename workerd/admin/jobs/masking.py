"""Values whose names match ``WORKERD["SECRET_KWARGS"]``: shown as a mask; saving the mask changes nothing."""

from collections.abc import Mapping
from typing import Any

from workerd.command_secrets import MASK, masked_command
from workerd.errors import WorkerdError
from workerd.secret_arguments import masked

__all__ = ["NothingStoredError", "masked", "restored", "restored_command"]


class NothingStoredError(WorkerdError, ValueError):
    """A mask was saved where it stands for no secret; ``path`` says where.

    ``in_list`` says that the list around it is another one than is stored: there a place tells nothing.
    """

    def __init__(self, path: str, *, in_list: bool = False) -> None:
        self.path, self.in_list = path, in_list
        super().__init__(path)


def restored(values: Any, stored: Any, path: str = "") -> Any:
    """Return ``values`` with each mask replaced by the value stored under that key. Raises NothingStoredError.

    A list with masks in it is restored as a whole, and only where nothing in it was changed: after an entry was deleted
    or moved, its number would give it another entry's secret.
    """
    if isinstance(values, Mapping):
        known = stored if isinstance(stored, Mapping) else {}
        return {
            key: restored(value, known.get(key), f"{path}.{key}" if path else str(key)) for key, value in values.items()
        }
    if isinstance(values, list):
        if isinstance(stored, list) and values == masked(stored):
            return stored
        return [_without_mask(value, f"{path}[{index}]") for index, value in enumerate(values)]
    if values != MASK:
        return values
    if stored is None:
        raise NothingStoredError(path)
    return stored


def restored_command(line: str, stored: str) -> str:
    """Return the stored line where it comes back as it was shown, masks and all. Raises NothingStoredError."""
    if MASK not in line:
        return line
    if line != masked_command(stored):
        raise NothingStoredError("command")
    return stored


def _without_mask(value: Any, path: str) -> Any:
    """Return a value of a list that was changed. Raises NothingStoredError where there is a mask in it."""
    try:
        return restored(value, None, path)
    except NothingStoredError as error:
        raise NothingStoredError(error.path, in_list=True) from None

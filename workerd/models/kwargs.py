"""What a job's arguments may hold, so that every database stores them and the wire carries them."""

import json
import math
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from workerd.wire.spec import MAX_KWARGS_BYTES, MAX_KWARGS_DEPTH, depth_of

READABLE_DEPTH = 100
"""What nests deeper ends Python's recursion here and there, where a page shows it."""


class UnreadableKwargs(str):
    """What a row's arguments are for Python where another program has written what it cannot take: a sentence."""

    __slots__ = ()


class StoredKwargs(models.JSONField):
    """JSON of which one row that Python cannot take does not make every list of rows an error."""

    def deconstruct(self) -> Any:
        """Be a JSONField for migrations: the column is one."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the decoded value, or why there is none."""
        try:
            kwargs = super().from_db_value(value, expression, connection)
            json.dumps(kwargs, ensure_ascii=False).encode()  # half a character can be read, and not be shown
        except (ValueError, RecursionError) as error:
            return UnreadableKwargs(f"These arguments cannot be read: {error}.")
        if depth_of(kwargs) > READABLE_DEPTH:
            return UnreadableKwargs(f"These arguments cannot be shown: they nest deeper than {READABLE_DEPTH}.")
        return kwargs

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Return the value for the driver. Raises ValueError rather than write over what could not be read."""
        if isinstance(value, UnreadableKwargs):
            raise ValueError(f"{value} Set kwargs anew, or save other fields by update_fields.")  # noqa: TRY004 - a value
        return super().get_db_prep_value(value, connection, prepared)


def check_kwargs(kwargs: Any) -> None:
    """Raise ValidationError unless ``kwargs`` is an object that PostgreSQL, MySQL and SQLite keep as it is."""
    if not isinstance(kwargs, dict):
        raise ValidationError(_('Write a JSON object, such as {"warehouse": "main"}.'), code="object")
    try:
        size = len(json.dumps(kwargs).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(
            _("Write plain JSON: texts, numbers, true, false, null, lists, objects."), code="json"
        ) from error
    if size > MAX_KWARGS_BYTES:
        message = _(
            "The arguments take %(size)s bytes, more than %(most)s: keep large values elsewhere and pass a reference."
        )
        raise ValidationError(message, code="size", params={"size": size, "most": MAX_KWARGS_BYTES})
    if depth_of(kwargs) > MAX_KWARGS_DEPTH:
        message = _("The arguments nest deeper than %(most)s lists and objects: make them flatter.")
        raise ValidationError(message, code="depth", params={"most": MAX_KWARGS_DEPTH})
    for leaf in _leaves(kwargs):
        if isinstance(leaf, float) and not math.isfinite(leaf):
            raise ValidationError(
                _("NaN and Infinity are not JSON: leave the argument out or use null."), code="number"
            )
        if isinstance(leaf, str) and ("\0" in leaf or any("\ud800" <= letter <= "\udfff" for letter in leaf)):
            raise ValidationError(
                _("A text holds a null character or half a surrogate pair, which databases refuse."), code="text"
            )


def _leaves(value: Any) -> Iterator[Any]:
    """Yield every key and every plain value, however deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
        else:
            yield one

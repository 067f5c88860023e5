"""What a job's arguments may hold, so that every database stores them and the wire carries them."""

import json
import math
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from workerd.wire.spec import MAX_KWARGS_BYTES, MAX_KWARGS_DEPTH, depth_of


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

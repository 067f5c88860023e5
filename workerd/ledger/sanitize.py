"""Changes a value so that every database takes it: its characters, and the type of its column."""

import math
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str, limit: int | None = None) -> str:
    """Return ``text`` with NUL and lone surrogates replaced, cut to ``limit`` characters."""
    return _UNWRITABLE.sub(REPLACEMENT, text)[:limit]


def clean_json(value: Any) -> Any:
    """Return a JSON value with every text in it cleaned and every NaN or infinity as null."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [clean_json(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
    return value


def clean_for(column: "models.Field[Any, Any]", value: Any) -> Any:
    """Return ``value``, from the wire, as ``column`` takes it. Raises ValueError, TypeError or OverflowError."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None if column.null else column.get_default()
    target = column.target_field if isinstance(column, models.ForeignKey) else column
    if isinstance(target, models.DateTimeField):
        return _instant(value)
    if isinstance(target, models.UUIDField):
        return uuid.UUID(value)
    if isinstance(target, models.JSONField):
        return clean_json(value)
    if isinstance(target, models.CharField | models.TextField):
        return clean_text(value if isinstance(value, str) else str(value), target.max_length)
    if isinstance(target, models.BooleanField):
        return bool(value)
    if isinstance(target, models.FloatField):
        return float(value)
    if isinstance(target, models.IntegerField):
        return int(value)
    return value


def _instant(unix_seconds: float) -> datetime:
    """Return a moment as the project stores it: aware, or with USE_TZ off naive in the project's time zone."""
    moment = datetime.fromtimestamp(unix_seconds, UTC)
    return moment if settings.USE_TZ else timezone.make_naive(moment)

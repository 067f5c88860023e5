"""The column of a job's arguments."""

from typing import Any

from django.db import models
from django.db.models.expressions import Col

from workerd.job_rules.kwargs import UnreadableKwargs, decode_kwargs


class StoredKwargs(models.JSONField):
    """A JSON column in which a value that Python cannot read does not make every list of rows an error."""

    def deconstruct(self) -> Any:
        """Return a plain JSONField, because that is what the column is to a migration."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the decoded value, or why there is none."""
        if isinstance(expression, Col) and isinstance(value, str):
            return decode_kwargs(value)
        return super().from_db_value(value, expression, connection)  # a part of it, which a query asks for

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Return the value for the driver. Raises ValueError for one that could not be read, lest it is overwritten."""
        if isinstance(value, UnreadableKwargs):
            raise ValueError(f"{value} Set kwargs anew, or save other fields by update_fields.")  # noqa: TRY004 - a value
        return super().get_db_prep_value(value, connection, prepared)

"""The columns of a job that hold JSON."""

from typing import Any

from django.db import models
from django.db.models.expressions import Col

from workerd.job_rules.stored_json import UnreadableJson, decode_json


class StoredJson(models.JSONField):
    """A JSON column in which a value that Python cannot read does not make every list of rows an error."""

    def deconstruct(self) -> Any:
        """Return a plain JSONField, because that is what the column is to a migration."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the decoded value, or why there is none."""
        if isinstance(expression, Col) and isinstance(value, str):
            return decode_json(self.name, value)
        return super().from_db_value(value, expression, connection)  # a part of it, which a query asks for

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Return the value for the driver. Raises ValueError for one that could not be read, lest it is overwritten."""
        if isinstance(value, UnreadableJson):
            raise ValueError(f"{value} Set {self.name} anew, or save other fields by update_fields.")  # noqa: TRY004 - a value
        return super().get_db_prep_value(value, connection, prepared)


class KeptValues(StoredJson):
    """A JSON object of our own: whatever another program has put in its place counts as none."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the object, or None."""
        found = super().from_db_value(value, expression, connection)
        return found if isinstance(found, dict) else None

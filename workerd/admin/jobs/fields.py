"""The form fields of a job: durations, which people type as "90s" or "5 min", and values in JSON."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput, JSONString

from workerd.durations import DurationError, format_duration, parse_duration
from workerd.job_rules.stored_json import JSON_COLUMNS, UnreadableJson, decode_json


class DurationField(forms.Field):
    """Text such as "5 min" to seconds and back; an empty text is None."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> float | None:
        if value in self.empty_values:
            return None
        try:
            return parse_duration(str(value))
        except DurationError as error:
            raise ValidationError(str(error), code="invalid") from error

    def prepare_value(self, value: Any) -> Any:
        """Return stored seconds as people write them; leave text that was typed as it is."""
        return format_duration(value) if isinstance(value, int | float) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare seconds: "90s" is no change of "1 min 30 s"."""
        try:
            return bool(self.to_python(data) != initial)
        except ValidationError:
            return True

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "size": 12, "autocomplete": "off"}


class StoredJsonField(forms.JSONField):
    """The JSON of ``column``; an emptied box is an object or a list without entries."""

    column = ""

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return self._empty()
        decoded = decode_json(self.column, value) if isinstance(value, str) else value
        if isinstance(decoded, UnreadableJson):
            raise ValidationError(str(decoded), code="invalid")
        if isinstance(decoded, str):
            return JSONString(decoded)  # so that Django does not decode it once more
        return self._empty() if decoded is None else decoded

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what was typed, for the box of a form that is shown again."""
        try:
            return super().bound_data(data, initial)
        except (RecursionError, ValueError):
            return InvalidJSONInput(data)

    def _empty(self) -> Any:
        return [] if JSON_COLUMNS[self.column].kind is list else {}

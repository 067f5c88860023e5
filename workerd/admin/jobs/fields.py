"""The form fields of a job: durations, which people type as "90s" or "5 min", and arguments in JSON."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext_lazy as _

from workerd.durations import MAX_SECONDS, DurationError, format_duration, parse_duration


class DurationField(forms.Field):
    """Text such as "5 min" to seconds and back; an empty text is None."""

    widget = forms.TextInput
    default_error_messages = {
        "invalid": _("“%(text)s” is not a duration: write it like 90s, 5 min, 1h 30m or 250ms."),
        "range": _("Write a duration from %(least)s to %(most)s."),
    }
    range: tuple[float, float] = (0.0, MAX_SECONDS)
    """The least and the most; this field names them as durations, the model's validators would name them in seconds."""

    def to_python(self, value: Any) -> float | None:
        if value in self.empty_values:
            return None
        try:
            return parse_duration(str(value))
        except DurationError as error:
            params = {"text": error.text}
            raise ValidationError(self.error_messages["invalid"], code="invalid", params=params) from error

    def validate(self, value: Any) -> None:
        super().validate(value)
        least, most = self.range
        if value is not None and not least <= value <= most:
            params = {"least": format_duration(least), "most": format_duration(most)}
            raise ValidationError(self.error_messages["range"], code="range", params=params)

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


class KwargsField(forms.JSONField):
    """A JSON object; an emptied box is an object without arguments."""

    default_error_messages = {
        "invalid": _('This is not JSON: write an object with texts in double quotes, such as {"warehouse": "main"}.')
    }

    def to_python(self, value: Any) -> Any:
        try:
            decoded = super().to_python(value)
        except (RecursionError, ValueError) as error:  # Django lets these pass: nested too deep, a number too long
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value}) from error
        return {} if decoded is None else decoded

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what was typed, for the box of a form that is shown again."""
        try:
            return super().bound_data(data, initial)
        except (RecursionError, ValueError):
            return InvalidJSONInput(data)

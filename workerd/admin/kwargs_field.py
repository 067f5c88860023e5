"""The form field of a job's arguments: JSON, with a sentence for whatever Python's parser cannot take."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext_lazy as _


class KwargsField(forms.JSONField):
    """A JSON object; an emptied box is one without arguments."""

    default_error_messages = {
        "invalid": _('This is not JSON: write an object with texts in double quotes, such as {"warehouse": "main"}.')
    }

    def to_python(self, value: Any) -> Any:
        """Return the decoded value. Raises ValidationError."""
        try:
            decoded = super().to_python(value)
        except (
            RecursionError,
            ValueError,
        ) as error:  # nested or a number too long for the parser, which Django lets pass
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value}) from error
        return {} if decoded is None else decoded

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what was typed for the box, decoded where it can be."""
        try:
            return super().bound_data(data, initial)
        except (RecursionError, ValueError):
            return InvalidJSONInput(data)

"""The boxes for a schedule and its time zone: what the text means stands beneath it, and the zones are offered."""

from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings

from .schedule_words import ScheduleWords


class ScheduleWidget(forms.TextInput):
    """A box, with what its text means; the form's script asks ``url`` for that anew as one types."""

    template_name = "admin/workerd/schedule_widget.html"
    url = ""
    about = ScheduleWords()

    def get_context(self, name: str, value: Any, attrs: Mapping[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, dict(attrs or {}))
        context["widget"] |= {"url": self.url, "about": self.about}
        return context


class TimeZoneWidget(forms.TextInput):
    """A box that offers the machine's time zones; which of them is right, the row's rules decide."""

    template_name = "admin/workerd/time_zone_widget.html"

    def get_context(self, name: str, value: Any, attrs: Mapping[str, Any] | None) -> dict[str, Any]:
        offered = {"list": f"{name}-offered", "placeholder": settings.TIME_ZONE, "autocomplete": "off"}
        context = super().get_context(name, value, {**(attrs or {}), **offered})
        context["widget"]["zones"] = _zones()
        return context


@cache
def _zones() -> tuple[str, ...]:
    """Return the zones of the machine, for which Python looks into six hundred files."""
    return tuple(sorted(available_timezones()))

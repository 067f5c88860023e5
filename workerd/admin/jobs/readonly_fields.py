"""A job's fields for a user who may only look: there is no form then to format durations and to mask secrets."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin
from django.db.models import Field
from django.utils.translation import gettext_lazy as _

from workerd.command_secrets import masked_command
from workerd.durations import format_duration
from workerd.job_rules.ranges import DURATIONS
from workerd.job_rules.stored_json import JSON_COLUMNS
from workerd.models import Job
from workerd.wire.spec import with_defaults

from .masking import masked


def as_readonly(fieldsets: Any) -> Any:
    """Return ``fieldsets`` with durations formatted and secret arguments masked."""
    return [(title, {**options, "fields": _replace(options["fields"])}) for title, options in fieldsets]


def _replace(fields: Any) -> Any:
    return [_replace(field) if isinstance(field, list | tuple) else _SHOWN.get(field, field) for field in fields]


def _text_of(name: str) -> Callable[[Job], str]:
    field = Job._meta.get_field(name)
    assert isinstance(field, Field)

    @admin.display(description=field.verbose_name, empty_value="-")
    def text(job: Job) -> str:
        seconds = getattr(job, name)
        return "" if seconds is None else format_duration(seconds)

    text.__name__ = name
    return text


def _json_of(name: str) -> Callable[[Job], str]:
    field = Job._meta.get_field(name)
    assert isinstance(field, Field)

    @admin.display(description=field.verbose_name, empty_value="-")
    def text(job: Job) -> str:
        value = with_defaults({name: getattr(job, name)})[name]
        return json.dumps(masked(value), ensure_ascii=False)

    text.__name__ = name
    return text


@admin.display(description=_("command"), empty_value="-")
def _command(job: Job) -> str:
    return masked_command(job.command)


_SHOWN: Mapping[str, Callable[[Job], str]] = {
    **{name: _text_of(name) for name in DURATIONS},
    **{name: _json_of(name) for name in JSON_COLUMNS},
    "command": _command,
}

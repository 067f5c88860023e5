"""The chooser of what a job runs: the project's functions by module, and a box where a pattern allows more."""

import inspect
from collections.abc import Mapping
from contextlib import suppress
from itertools import groupby
from typing import Any

from django import forms
from django.utils.text import Truncator

from workerd.command_secrets import MASK, is_secret
from workerd.conf import SettingsError, get_settings
from workerd.registry import RegisteredJob, autodiscover, registered
from workerd.url_passwords import holds_password

OTHER = "-other-"


class TargetWidget(forms.Widget):
    """A list of functions; its last entry opens a box for any function that ``WORKERD["TARGETS"]`` allows."""

    template_name = "admin/workerd/target_widget.html"

    def get_context(self, name: str, value: Any, attrs: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return what the template needs; a value that is not in the list goes into the box."""
        context = super().get_context(name, value, dict(attrs or {}))
        jobs, patterns = find_jobs(), _patterns()
        chosen = str(value or "")
        is_listed = not chosen or any(job.dotted == chosen for job in jobs)
        by_module = groupby(jobs, key=lambda job: job.dotted.rpartition(".")[0])
        context["widget"] |= {
            "groups": [(module, [_option(job, chosen) for job in group]) for module, group in by_module],
            "patterns": patterns,
            "other": OTHER,
            "takes_other": bool(patterns) or not is_listed,
            "is_other": not is_listed,
            "other_value": "" if is_listed else chosen,
            "descriptions": {
                job.dotted: {"summary": first_line_of(job), "parameters": parameters_of(job)} for job in jobs
            },
        }
        return context

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        value = data.get(name)
        return data.get(f"{name}_other", "") if value == OTHER else value

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return name not in data

    def use_required_attribute(self, initial: Any) -> bool:
        return False  # a job has either a target or a command


def find_jobs() -> list[RegisteredJob]:
    """Return every function marked ``@job``."""
    with suppress(Exception):  # the project's modules may raise anything; find_row_problems names it at the save
        autodiscover()
    return sorted(registered().values(), key=lambda job: job.dotted)


def first_line_of(job: RegisteredJob) -> str:
    """Return the first line of the function's docstring, without the marks of code in reStructuredText."""
    return job.summary.replace("``", "")


def parameters_of(job: RegisteredJob) -> str:
    """Return the function's parameters as its author wrote them, without the context and the defaults of secrets."""
    shown = [_masked(parameter) for parameter in job.parameters.parameters.values()]
    return str(job.parameters.replace(parameters=shown, return_annotation=inspect.Signature.empty))[1:-1]


class _Mask:
    def __repr__(self) -> str:
        return MASK


def _masked(parameter: inspect.Parameter) -> inspect.Parameter:
    has_default = parameter.default is not inspect.Parameter.empty
    has_secret = has_default and (is_secret(parameter.name) or holds_password(parameter.default))
    return parameter.replace(default=_Mask()) if has_secret else parameter


def _option(job: RegisteredJob, chosen: str) -> dict[str, Any]:
    name = job.dotted.rpartition(".")[2]
    summary = first_line_of(job)
    label = f"{name}: {summary}" if summary else name
    return {
        "value": job.dotted,
        "label": Truncator(label).chars(90),
        "is_chosen": job.dotted == chosen,
        "name": name,
        "summary": summary,
        "parameters": parameters_of(job),
    }


def _patterns() -> tuple[str, ...]:
    try:
        return get_settings().targets
    except SettingsError:
        return ()

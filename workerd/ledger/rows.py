"""A row of ``Job`` as a spec, whatever plain SQL may have written into it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from workerd.command_secrets import without_secrets
from workerd.job_rules import find_faults, join_sentences
from workerd.job_rules.stored_json import JSON_COLUMNS, decode_json
from workerd.wire.spec import JobSpec, with_defaults

from .sanitize import clean_text

Row = tuple[Any, ...]
COLUMNS = JobSpec._fields
"""The columns of a Row, in its order; those of JSON are the text that the database holds."""

_DEFAULTS = JobSpec(name="").to_dict()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The spec of a row, with defaults in place of wrong values, and what is wrong with the row, or ""."""

    spec: JobSpec
    problem: str = ""


def judge_row(row: Row, check_allowed: Callable[[str, str], None]) -> Verdict:
    """Return the spec of ``row`` and every fault of it, as far as can be told without an import."""
    values = with_defaults(dict(zip(COLUMNS, row, strict=True)))
    for name in JSON_COLUMNS:
        if isinstance(values[name], str):
            values[name] = decode_json(name, values[name])
    if values["schedule"] and not values["time_zone"]:
        values["time_zone"] = settings.TIME_ZONE  # the daemon has no settings
    faults = find_faults(values)
    problem = join_sentences(faults)
    if not faults:
        try:
            check_allowed(values["target"], values["command"])
        except Exception as error:  # noqa: BLE001 - a TargetError; whatever else it is must not stop the other rows
            problem = str(error)
    if isinstance(values["command"], str):
        problem = without_secrets(problem, values["command"])
    name = _name(values)
    for field in {fault.field for fault in faults}:
        if find_faults({field: values[field]}):  # wrong by itself, so perhaps nothing that a spec can hold
            values[field] = _DEFAULTS[field]
    return Verdict(JobSpec(**{**values, "name": name}), clean_text(problem, 4000))


def _name(values: dict[str, Any]) -> str:
    """Return the name that the daemon knows the row by: its own, or, where that is no name, one made of its id."""
    name = values["name"]
    if not find_faults({"name": name}):
        return str(name)
    return f"{re.sub(r'[^-a-zA-Z0-9_]+', '-', str(name))[:60]}-id-{values['id']}"

"""A row of ``Job`` as a spec: what plain SQL may have written into it is found here, a sentence for each fault."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workerd.models import Job
from workerd.models.job import STOP_SIGNALS
from workerd.models.ranges import RANGES
from workerd.wire.spec import MAX_KWARGS_BYTES, MAX_KWARGS_DEPTH, JobSpec, depth_of
from workerd.wire.words import Heartbeat, Restart

from .sanitize import clean_text

Row = tuple[Any, ...]
COLUMNS = JobSpec._fields
"""In the order of a Row; kwargs come as the text that the database holds."""

_DEFAULTS = JobSpec(name="").to_dict()
_FLAGS = ("enabled", "signals_ready", "significant")
_WHOLE = ("processes", "max_restarts", "nice")
_OPTIONAL = ("max_restarts", "heartbeat_timeout", "max_memory", "max_age")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "restart": tuple(one.value for one in Restart),
    "heartbeat": tuple(one.value for one in Heartbeat),
    "stop_signal": STOP_SIGNALS,
}
_TEXT_LIMITS = {
    column.name: column.max_length or 0
    for column in Job._meta.concrete_fields
    if column.name in ("name", "target", "command")
}
_SLUG = re.compile(r"[-a-zA-Z0-9_]+")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a row says: its spec, with defaults for what is wrong in it, and what is wrong, or nothing."""

    spec: JobSpec
    problem: str = ""


def judge_row(row: Row, check_shape: Callable[[str, str], None]) -> Verdict:
    """Return the spec of ``row`` and every fault of it, as far as can be told without an import."""
    values = dict(zip(COLUMNS, row, strict=True))
    faults: list[str] = []
    for name, fault in _find_faults(values):
        faults.append(fault)
        values[name] = _DEFAULTS[name]
    faults += _disagreements(values)
    values["name"] = _name(values["id"], row[COLUMNS.index("name")])
    if not faults:
        try:
            check_shape(values["target"], values["command"])
        except Exception as error:  # noqa: BLE001 - a TargetError; whatever else it is must not stop the other rows
            faults.append(str(error))
    return Verdict(JobSpec(**values), clean_text(" ".join(faults), 4000))


def _find_faults(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (column, sentence) for each value out of its column's shape; decodes kwargs in place."""
    for name in _TEXT_LIMITS:
        if fault := _text_fault(name, values[name]):
            yield name, fault
    for name in _FLAGS:
        if not isinstance(values[name], bool):
            yield name, f"{name} is {_shown(values[name])}: set it to true or false."
    for name, choices in _CHOICES.items():
        if values[name] not in choices:
            yield name, f"{name} is {_shown(values[name])}: choose one of {', '.join(choices)}."
    for name, (low, high) in RANGES.items():
        if fault := _number_fault(name, values[name], low, high):
            yield name, fault
    values["kwargs"], fault = _read_kwargs(values["kwargs"])
    if fault:
        yield "kwargs", fault


def _text_fault(name: str, value: Any) -> str:
    limit = _TEXT_LIMITS[name]
    if not isinstance(value, str):
        return f"{name} is {_shown(value)}: set it to a text."
    if len(value) > limit:
        return f"{name} has {len(value)} characters, more than {limit}: shorten it."
    if clean_text(value) != value:
        return f"{name} holds a null character or half a surrogate pair: remove it."
    if name == "name" and not _SLUG.fullmatch(value):
        return f"name is {_shown(value)}: use letters, digits, - and _ only."
    return ""


def _number_fault(name: str, value: Any, low: float, high: float) -> str:
    if value is None and name in _OPTIONAL:
        return ""
    kind = "a whole number" if name in _WHOLE else "a number"
    accepted = int if name in _WHOLE else int | float
    if isinstance(value, bool) or not isinstance(value, accepted) or not low <= value <= high:  # NaN is in no range
        return f"{name} is {_shown(value)}: set it to {kind} from {low:g} to {high:g}."
    return ""


def _read_kwargs(text: Any) -> tuple[dict[str, Any], str]:
    """Return the arguments, or none and what is wrong with them."""
    if not isinstance(text, str):
        return {}, f"kwargs is {_shown(text)}: write a JSON object."
    try:
        kwargs = json.loads(text)
        size = len(json.dumps(kwargs).encode())
    except (ValueError, RecursionError) as error:
        return {}, f"kwargs is no JSON ({error}): write a JSON object."
    if depth_of(kwargs) > MAX_KWARGS_DEPTH:
        return {}, f"kwargs nest deeper than {MAX_KWARGS_DEPTH} lists and objects: make them flatter."
    if not isinstance(kwargs, dict):
        return {}, f"kwargs is {_shown(kwargs)}: write a JSON object such as {{}}."
    if size > MAX_KWARGS_BYTES:
        return {}, f"kwargs take {size} bytes, more than {MAX_KWARGS_BYTES}: keep large values elsewhere."
    return kwargs, ""


def _disagreements(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong between columns that are right by themselves."""
    if bool(values["target"]) == bool(values["command"]):
        yield "It has both a target and a command: clear one." if values["target"] else "Set a target or a command."
    if values["backoff_max"] < values["backoff_initial"]:
        yield "backoff_max is less than backoff_initial: raise it."
    if not values["signals_ready"] and values["start_timeout"] <= values["start_grace"]:
        yield "start_timeout is not longer than start_grace, so it would never count as running: raise it."


def _name(pk: int, name: Any) -> str:
    """Return the name the daemon knows the row by: its own, or, where that is none, one that leads to the row."""
    if not _text_fault("name", name):
        return str(name)
    return f"{re.sub(r'[^-a-zA-Z0-9_]+', '-', str(name))[:60]}-id-{pk}"


def _shown(value: Any) -> str:
    text = clean_text(repr(value))
    return text if len(text) <= 60 else f"{text[:60]}…"

"""A job's fields as people write them, in a file of definitions or at ``@job``: how each is read, and what is wrong."""

import difflib
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from workerd.durations import DurationError, parse_duration
from workerd.wire.spec import JobSpec
from workerd.wire.words import Restart

from . import find_faults
from .labels import LabelsError, read_labels
from .ranges import DURATIONS, OPTIONAL, WHOLE
from .rule import Fault, shown
from .stored_json import READABLE_DEPTH, decode_json, depth_of
from .texts import UNWRITABLE

DEFAULTS: Mapping[str, Any] = {
    field: value for field, value in JobSpec._field_defaults.items() if field not in ("name", "id")
} | {"starts_after": [], "notes": ""}
"""Every field that may be written, in the order in which it is written, with what it is where nobody writes it."""

NO_LIMIT = "none"
"""Takes a limit away, where a file overlays another: TOML has no null."""
LIMITS = tuple(field for field in OPTIONAL if DEFAULTS[field] is None)

OBJECTS = ("kwargs", "environment")
"""An object that holds a null is written as a text of JSON: TOML has no null."""


def default_of(field: str, values: Mapping[str, Any]) -> Any:
    """Return what ``field`` is beside ``values`` where it is not among them.

    The default of ``restart`` goes with no schedule, so there it is ``on_failure``.
    """
    if field == "restart" and values.get("schedule"):
        return Restart.ON_FAILURE.value
    return DEFAULTS[field]


def read_written(written: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """Return the values of the fields, as a row has them, and a fault for each that has none: rules judge the rest."""
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for field, value in written.items():
        if field not in DEFAULTS:
            faults.append(Fault(field, unknown_field(field)))
        elif depth_of(value) > READABLE_DEPTH:
            faults.append(
                Fault(field, f"{field} nests deeper than {READABLE_DEPTH} lists and tables: make it flatter.")
            )
        else:
            try:
                values[field] = _READERS.get(field, _unchanged)(value)
            except DurationError as error:
                faults.append(Fault(field, f"{field} cannot be read: {error}"))
            except LabelsError as error:
                faults.append(Fault(field, str(error)))
    return values, faults


def unknown_field(field: object) -> str:
    if field == "name":
        return "“name” is no field that a definition holds: its table has the job's name, as in [jobs.mail]."
    likely = difflib.get_close_matches(str(field).lower(), DEFAULTS, n=1)
    remedy = f"Did you mean “{likely[0]}”?" if likely else f"The fields are {', '.join(DEFAULTS)}."
    return f"{shown(field)} is no field of a job. {remedy}"


def find_written_faults(name: str, values: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with the values of one job, as far as they tell: nothing is supposed of a missing one."""
    faults = find_faults({"name": name, **values})
    if "notes" in values and (sentence := _notes_fault(values["notes"])):
        faults.append(Fault("notes", sentence))
    return faults


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value for every field."""
    return {field: values[field] if field in values else default_of(field, values) for field in DEFAULTS}


def _notes_fault(notes: Any) -> str:
    if not isinstance(notes, str):
        return f"notes is {shown(notes)}, not a text: write it as a text."
    return "notes holds a null character or half a surrogate pair: remove it." if UNWRITABLE.search(notes) else ""


def _unchanged(value: Any) -> Any:
    return value


def _read_limit(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value == NO_LIMIT else read(value)


def _read_seconds(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else _read_float(value)


def _read_float(value: Any) -> Any:
    """Return a column's 5.0 for a 5; what no float can hold is left to the rule for the range."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    try:
        return float(value)
    except OverflowError:
        return value


def _read_object(field: str, value: Any) -> Any:
    if isinstance(value, str):
        return decode_json(field, value)
    try:
        return json.loads(json.dumps(value))  # as the row will have it: a tuple is a list, a key is a text
    except (TypeError, ValueError, RecursionError):
        return value  # the rule says why


def _read_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


_NUMBERS: Mapping[str, Callable[[Any], Any]] = dict.fromkeys(DURATIONS, _read_seconds) | {
    field: _unchanged if field in WHOLE else _read_float for field in LIMITS if field not in DURATIONS
}
_READERS: Mapping[str, Callable[[Any], Any]] = {
    **{field: _read_limit(read) if field in LIMITS else read for field, read in _NUMBERS.items()},
    **{field: partial(_read_object, field) for field in OBJECTS},
    "starts_after": _read_list,
    "labels": read_labels,
}

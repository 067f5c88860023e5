"""The fields of a row that ``@job`` takes, and the job that they define."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from .job_rules import Fault
from .job_rules.written import DEFAULTS, filled, find_written_faults, read_written, unknown_field

PROGRAM = ("target", "command")
NOT_HERE = "A mark takes no target and no command: the job runs the function."

Duration = float | str
"""Seconds, or a text such as "90s" or "5 min"."""


class JobFields(TypedDict, total=False):
    """The fields, for type checkers and editors; ``name`` is the job's."""

    name: str
    kwargs: Mapping[str, Any]
    enabled: bool
    processes: int
    restart: Literal["always", "on_failure", "never"]
    backoff_initial: Duration
    backoff_max: Duration
    max_restarts: int | None
    restart_window: Duration
    start_grace: Duration
    start_timeout: Duration
    signals_ready: bool
    heartbeat_timeout: Duration | None
    heartbeat: Literal["any", "explicit", "group"]
    stop_signal: Literal["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"]
    stop_timeout: Duration
    max_memory: float | None
    max_age: Duration | None
    significant: bool
    nice: int
    schedule: str
    time_zone: str
    start_within: Duration
    overlap: Literal["skip", "queue", "replace"]
    spread: Duration
    environment: Mapping[str, Any]
    working_directory: str
    umask: str
    starts_after: Sequence[str]
    scope: Literal["each_node", "fleet"]
    where: str
    takeover_after: Duration
    without_database: Literal["stop", "go_on"]
    movable: bool
    labels: Mapping[str, str] | str
    notes: str


def read_fields(
    dotted: str, function_name: str, fields: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any], list[Fault]]:
    """Return the name of the job, its values, and what is wrong with them. Raises TypeError for a field that is none.

    The name is that of the function with - for _, unless it is given.
    """
    own = {field: value for field, value in fields.items() if field in DEFAULTS and field not in PROGRAM}
    if unknown := [field for field in fields if field not in own and field != "name"]:
        sentences = [NOT_HERE if field in PROGRAM else unknown_field(field) for field in unknown]
        raise TypeError(f"“{dotted}” cannot be a @job: {' '.join(sentences)}")
    name = fields.get("name", function_name.replace("_", "-"))
    values, faults = read_written(own)
    known = {
        field: value
        for field, value in filled({"target": dotted, **values}).items()
        if field in values or field not in own
    }
    return name, values, faults + find_written_faults(name, known)

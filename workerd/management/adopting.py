"""The description of this project and host that an adoption gets, and the text of its result."""

import os
from collections.abc import Collection, Iterable, Sequence
from inspect import Signature
from pathlib import Path

from django.conf import settings
from django.core.management import get_commands

from workerd.adopt.adopted import Adopted, Refused
from workerd.adopt.context import Context
from workerd.allowed_targets import load_allowed, matches
from workerd.arguments import signature_of
from workerd.command_secrets import is_secret, masked_command
from workerd.conf import get_settings
from workerd.definitions.definition import Definition
from workerd.definitions.toml_text import to_toml
from workerd.job_rules import find_faults
from workerd.refusals import TargetError
from workerd.registry import registered
from workerd.targets import check_allowed
from workerd.wire.visible import visible

_LOCAL_TIME = Path("/etc/localtime")
_ZONES = "zoneinfo/"


def find_context(paths: Collection[Path]) -> Context:
    """Return what this project and this host are. Raises SettingsError."""
    return Context(
        commands=sorted(get_commands()),
        allowed_commands=get_settings().commands,
        is_allowed_target=_is_allowed,
        signature=_find_signature,
        environment=sorted(os.environ),
        settings_module=str(settings.SETTINGS_MODULE),
        time_zone=find_host_zone(),
        is_secret=is_secret,
        mask=masked_command,
        paths=paths,
    )


def find_host_zone(local_time: Path = _LOCAL_TIME) -> str:
    """Return the name of the host's time zone, by which cron goes; "" where the host does not say."""
    zone = os.environ.get("TZ", "").removeprefix(":")
    if not zone:
        zone = os.path.realpath(local_time).partition(_ZONES)[2] if os.path.lexists(local_time) else "UTC"
    return "" if find_faults({"time_zone": zone}) else zone


def as_toml(programs: Iterable[Adopted]) -> str:
    """Return a table for each job, below its place and what is to be said of it."""
    jobs = list(programs)
    comments = {job.name: [f"From {job.place}.", *job.comments] for job in jobs}
    return to_toml([Definition(job.name, job.values, job.place) for job in jobs], comments)


def as_table(refused: Sequence[Refused]) -> str:
    """Return a line for each program that was not adopted, with the reason."""
    rows = [("PROGRAM", "PLACE", "NOT ADOPTED, AS"), *((one.name, one.place, one.reason) for one in refused)]
    shown = [tuple(visible(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(2)]
    return "\n".join(f"{row[0].ljust(widths[0])}  {row[1].ljust(widths[1])}  {row[2]}" for row in shown)


def _is_allowed(dotted: str) -> bool:
    try:
        check_allowed(dotted, "")
    except TargetError:
        return False
    return True


def _find_signature(dotted: str) -> Signature | None:
    """Return what an allowed target takes; None where the project does not allow it, or where it does not load."""
    if job := registered().get(dotted):
        return job.parameters
    if not matches(dotted):
        return None
    try:
        return signature_of(load_allowed(dotted))
    except (TargetError, TypeError, ValueError):  # C code may have no signature
        return None

"""The summary of an adoption: how many programs became jobs, and which settings they need."""

import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from workerd.adopt.adopted import Adopted, Result
from workerd.conf import get_settings
from workerd.job_rules.env_references import environment_names
from workerd.job_rules.stored_json import JSON_COLUMNS


def as_summary(result: Result) -> list[str]:
    """Return lines for people: the counts, and a block for ``WORKERD`` of what it does not allow yet."""
    adopted, refused = len(result.adopted), len(result.refused)
    lines = [f"{adopted} {'program' if adopted == 1 else 'programs'} adopted, {refused} not."]
    missing = {"COMMANDS": sorted(_commands(result.adopted)), "ENV": sorted(_variables(result.adopted))}
    if any(missing.values()):
        lines.append("WORKERD does not allow yet what these jobs need; add to its lists:")
        lines += [f'    "{key}": {json.dumps(names)},' for key, names in missing.items() if names]
    return lines


def _commands(jobs: Iterable[Adopted]) -> set[str]:
    named = {job.values["command"].split()[0] for job in jobs if job.values.get("command")}
    return named.difference(get_settings().commands)


def _variables(jobs: Iterable[Adopted]) -> set[str]:
    return {name for name in _named(jobs) if not any(fnmatchcase(name, allowed) for allowed in get_settings().env)}


def _named(jobs: Iterable[Adopted]) -> Iterator[str]:
    for job in jobs:
        for column in JSON_COLUMNS:
            yield from (name for _path, name in environment_names(column, job.values.get(column)))

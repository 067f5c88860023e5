"""A row as a definition, without the secrets that stand in it as plain values."""

from dataclasses import dataclass, field
from typing import Any

from workerd.command_secrets import masked_command
from workerd.definitions.definition import Definition
from workerd.job_rules.written import OBJECTS, default_of
from workerd.secret_arguments import without_secrets

from .plan import Row
from .rules import same


@dataclass(frozen=True, slots=True)
class Exported:
    """A definition, and a sentence for each thing that was left out of it."""

    definition: Definition
    left_out: list[str] = field(default_factory=list)


def export(row: Row) -> Exported:
    """Return what the row says besides the defaults."""
    values = {name: value for name, value in row.values.items() if not _is_default(name, value, row)}
    left_out: list[str] = []
    for name in OBJECTS:
        if name in values:
            values[name], paths = without_secrets(values[name], name)
            left_out += [
                f'{path} is left out, as it looks like a secret: write {{ "$env" = "NAME" }}.' for path in paths
            ]
    if masked_command(command := values.get("command", "")) != command:
        del values["command"]
        left_out.append(
            f"command is left out, as it looks like it holds a secret: {masked_command(command)}. "
            "Have the command read it from the environment."
        )
    return Exported(Definition(row.name, values, f"the row “{row.name}”"), left_out)


def _is_default(name: str, value: Any, row: Row) -> bool:
    default = default_of(name, row.values)
    return bool(value == default) if isinstance(value, str) else same(value, default)

"""Finds secrets that stand in a definition as plain text, where everybody who reads the code reads them."""

from collections.abc import Iterator, Mapping
from typing import Any

from workerd.command_secrets import is_secret, masked_command
from workerd.job_rules.env_references import ENVIRONMENT_KEY
from workerd.job_rules.stored_json import READABLE_DEPTH, depth_of
from workerd.job_rules.written import OBJECTS
from workerd.url_passwords import holds_password

from .definition import DefinitionFault
from .table import Table, said_of


def find_plain_secrets(table: Table) -> Iterator[DefinitionFault]:
    """Yield a warning for each plain text whose name is in ``WORKERD["SECRET_KWARGS"]``, or with a URL's password."""
    for field in OBJECTS:
        value = table.values.get(field)
        if isinstance(value, Mapping) and depth_of(value) <= READABLE_DEPTH:
            for path in _paths(field, value):
                sentence = (
                    f'{path} looks like a secret: take it from the environment, {{"{ENVIRONMENT_KEY}" = "NAME"}}.'
                )
                yield DefinitionFault(table.place_of(field), said_of(table.name, sentence))
    command = table.values.get("command")
    if isinstance(command, str) and masked_command(command) != command:
        sentence = "command has what looks like a secret: have the command read it from the environment."
        yield DefinitionFault(table.place_of("command"), said_of(table.name, sentence))


def _paths(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, str) and inner and key != ENVIRONMENT_KEY and is_secret(str(key)):
                yield f"{path}.{key}"
            else:
                yield from _paths(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(f"{path}[{index}]", inner)
    elif holds_password(value):
        yield path

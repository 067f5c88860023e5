"""``status --fleet``: who has which seat, and how the nodes are, as the rows of the database have it."""

import json
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import Error

from workerd.conf import get_settings
from workerd.wire import exit_codes

NEEDS_PROJECT = "The fleet stands in the database, for which the project has to be loaded: use “manage.py workerd {}”."


def needs_project(command: BaseCommand, verb: str) -> bool:
    """Return whether the project is not loaded, and say so: ``python -m workerd`` reads its settings alone."""
    if apps.ready:
        return False
    command.stderr.write(NEEDS_PROJECT.format(verb))
    return True


def show_fleet(command: BaseCommand, *, as_json: bool) -> int:
    """Print the fleet; return FAILED while a seat that is wanted has no holder that reports."""
    if needs_project(command, "status --fleet"):
        return exit_codes.USAGE
    from workerd.fleet.picture import read_fleet

    from .fleet_table import describe_fleet, format_fleet

    try:
        fleet = read_fleet(get_settings().database)
    except Error as error:
        command.stderr.write(f"The database cannot be read: {error}".strip())
        return exit_codes.FAILED
    told: dict[str, Any] = describe_fleet(fleet)
    command.stdout.write(json.dumps(told, indent=2) if as_json else format_fleet(told))
    return exit_codes.DONE if told["ok"] else exit_codes.FAILED

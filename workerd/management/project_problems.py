"""Finds what keeps the project's jobs from running, whatever the rows say: modules and names that do not load."""

from collections.abc import Callable, Iterator

from workerd.allowed_targets import check_pattern
from workerd.command_lines import load_command
from workerd.conf import SettingsError, get_settings
from workerd.refusals import TargetError, import_failed
from workerd.registry import autodiscover

from .deadline import in_time


def find_project_problems() -> Iterator[str]:
    """Import the jobs, and what COMMANDS and TARGETS name; yield a sentence for each that is not as it should be.

    Raises Hang.
    """
    try:
        settings = get_settings()
    except SettingsError:
        return  # each of its problems is among those of the settings
    if unloaded := why_jobs_do_not_load():
        yield unloaded
    yield from _unsound("COMMANDS", settings.commands, load_command)
    yield from _unsound("TARGETS", settings.targets, check_pattern)


def why_jobs_do_not_load() -> str:
    """Find the project's jobs; return a sentence where a module of theirs does not load. Raises Hang."""
    try:
        with in_time("The project's jobs"):
            autodiscover()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the border to the project's modules
        return str(import_failed("target", "The project's jobs", error))
    return ""


def _unsound(key: str, names: tuple[str, ...], check: Callable[[str], object]) -> Iterator[str]:
    for name in dict.fromkeys(names):
        try:
            with in_time(f'WORKERD["{key}"] “{name}”'):
                check(name)
        except TargetError as error:
            yield f'WORKERD["{key}"] has “{name}”: {error}'

"""Decides what a row may run: the allow-list, by string alone or with the object in hand, and the call of a child.

``job_rules`` say what can be told of a row by its values alone; here is what depends on the project.

Whoever can write a row must not be able to run ``os.system``, so nothing is imported that the project did not name.
"""

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from .allowed_targets import load_allowed, matches
from .arguments import check_arguments, check_environment, signature_of
from .command_lines import check_command, check_command_name
from .engines import PACKAGES, engine_of
from .job_rules import find_faults, values_of
from .refusals import RowError, TargetError, import_failed
from .registry import RegisteredJob, autodiscover, registered
from .wire.spec import JobSpec

__all__ = ["RowError", "Target", "TargetError", "check_allowed", "find_row_problems", "rehearse", "resolve", "warm_up"]


@dataclass(frozen=True, slots=True)
class Target:
    """A call that is allowed and whose arguments fit; kwargs still hold ``{"$env": …}`` as the row does."""

    name: str
    function: Callable[..., Any]
    args: tuple[str, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    takes_context: bool = False
    is_async: bool = False


def check_allowed(target: str, command: str) -> None:
    """Raise TargetError unless the project allows what a row without faults names; judged by strings, no import.

    A target counts as allowed when it is registered in this process or matches ``WORKERD["TARGETS"]``.
    """
    if command:
        check_command_name(command)
    elif target not in registered() and not matches(target):
        raise TargetError("target", f"“{target}” is not a job that the project allows", _way_to_allow(target))


def _way_to_allow(target: str) -> str:
    engine = engine_of(target)
    if engine not in PACKAGES:
        return 'Mark it @job in an app\'s jobs module, or add it to WORKERD["TARGETS"].'
    if known := [name for name in registered() if engine_of(name) == engine]:
        return f"Name a target that the engine “{engine}” has: {', '.join(known)}."
    return f'Add "{engine}" to WORKERD["ENGINES"].'


def warm_up() -> None:
    """Do once what each fork of this process would do again, in memory of its own: compile patterns, judge a row."""
    matches("")
    find_faults(values_of(JobSpec("warm-up", target="warm.up", command="warm up")))


def rehearse(**kwargs: str) -> None:
    """Judge this function as one that a row names is judged: a fork does it sooner a second time."""
    check_environment("kwargs", kwargs)
    with suppress(TargetError):  # it is refused where no pattern allows it
        load_allowed(f"{__name__}.rehearse")
    _resolve_function("warm.up", rehearse, kwargs)


def resolve(spec: JobSpec) -> Target:
    """Return what a child calls for ``spec``. Raises RowError where a rule, the project or the target refuses it.

    A command's line that is not filled yet is that of the process 0.
    """
    if faults := find_faults(values_of(spec)):
        raise RowError(faults)
    check_allowed(spec.target, spec.command)
    check_environment("environment", spec.environment)
    if spec.command:
        return _resolve_command(spec.for_slot(0).command)
    check_environment("kwargs", spec.kwargs)
    found = registered().get(spec.target)
    if found is None:
        function = load_allowed(spec.target)
        found = next((known for known in registered().values() if known.function is function), None)
        if found is None:
            return _resolve_function(spec.target, function, spec.kwargs)
    return _resolve_job(found, spec.kwargs)


def find_row_problems(spec: JobSpec) -> dict[str, list[str]]:
    """Return what keeps a row from running: sentences by field name, ready for ``ValidationError``.

    Finds jobs by autodiscovery and imports what the allow-list names, as the child will; a broken module is a sentence
    here too. Of the environment variables that a row asks for, only the names are judged: the values are the child's.
    """
    try:
        autodiscover()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the border to the project's modules: said in the form
        return _by_field(import_failed("target", "The project's jobs", error))
    if spec.processes == 0:
        spec = spec._replace(processes=1)  # of none, a command's line says nothing yet
    try:
        resolve(spec)
        last = spec.for_slot(spec.processes - 1)
        if last.command != spec.for_slot(0).command:
            resolve(last)  # a parser may take numbers up to some limit; a child judges the line of its own
    except RowError as error:
        return _by_field(error)
    return {}


def _by_field(error: RowError) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = {}
    for fault in error.faults:
        problems.setdefault(fault.field, []).append(fault.sentence)
    return problems


def _resolve_command(line: str) -> Target:
    from django.core.management import call_command

    argv = check_command(line)
    return Target(name=argv[0], function=call_command, args=tuple(argv))


def _resolve_job(found: RegisteredJob, kwargs: Mapping[str, Any]) -> Target:
    check_arguments(found.dotted, found.parameters, kwargs, found.context)
    return Target(found.dotted, found.function, kwargs=kwargs, takes_context=True, is_async=found.is_async)


def _resolve_function(name: str, function: Callable[..., Any], kwargs: Mapping[str, Any]) -> Target:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TargetError("target", f"“{name}” has a “yield”, so a call would run nothing", "Loop inside the function.")
    try:
        signature = signature_of(function)
    except (ValueError, TypeError):
        signature = inspect.Signature(
            [inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)]
        )  # C code may have none
    check_arguments(name, signature, kwargs)
    return Target(name, function, kwargs=kwargs, is_async=inspect.iscoroutinefunction(function))

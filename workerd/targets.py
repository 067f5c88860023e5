"""What a row may run: the allow-list, by string alone or with the object in hand, and the call that a child makes.

Whoever can write a row must not be able to run ``os.system``, so nothing is imported that the project did not name.
"""

import inspect
import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import import_module
from types import ModuleType
from typing import Any

from .arguments import check_arguments, check_size
from .command_lines import check_command, check_command_line
from .refusals import TargetError, import_failed
from .registry import RegisteredJob, autodiscover, registered
from .wire.spec import JobSpec

__all__ = ["Target", "TargetError", "check_shape", "find_row_problems", "resolve", "warm_up"]

MAX_TARGET_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Target:
    """A call that is allowed and whose arguments fit; kwargs still hold ``{"$env": …}`` as the row does."""

    name: str
    function: Callable[..., Any]
    args: tuple[str, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    takes_context: bool = False
    is_async: bool = False


def check_shape(target: str, command: str) -> None:
    """Raise TargetError unless the row names exactly one thing that the project allows; judged by strings, no import.

    A target counts as allowed when it is registered in this process or matches ``WORKERD["TARGETS"]``.
    """
    if target and command:
        raise TargetError("command", "Both a target and a command are set", "Keep one of them.")
    if command:
        check_command_line(command)
    else:
        _check_dotted(target)
        if target not in registered() and not _matches(target):
            raise _not_allowed(target)


def warm_up() -> None:
    """Compile the allow-list's patterns, which would take each fork of this process half a millisecond."""
    _matches("")


def resolve(spec: JobSpec) -> Target:
    """Return what a child calls for ``spec``. Raises TargetError for what is not allowed, broken or does not fit."""
    check_shape(spec.target, spec.command)
    check_size(spec.kwargs)
    if spec.command:
        return _resolve_command(spec.command, spec.kwargs)
    found = registered().get(spec.target)
    if found is None:
        function = _load_allowed(spec.target)
        found = next((known for known in registered().values() if known.function is function), None)
        if found is None:
            return _resolve_function(spec.target, function, spec.kwargs)
    return _resolve_job(found, spec.kwargs)


def find_row_problems(target: str, command: str, kwargs: Any) -> dict[str, list[str]]:
    """Return what is wrong with a row as an admin form has it: sentences by field name, empty when it can run.

    ``target`` and ``command`` are the fields' text ("" when empty), ``kwargs`` is the decoded JSON, of any type.
    The keys are ``target``, ``command`` and ``kwargs``, ready for ``ValidationError``. Finds jobs by autodiscovery and
    imports what the allow-list names, as the child will; a broken module is a sentence here too. Environment variables
    that kwargs name are not looked up: they are the child's.
    """
    try:
        autodiscover()
    except Exception as error:  # noqa: BLE001 - the border to the project's modules: said in the form
        return {"target": [str(import_failed("target", "The project's jobs", error))]}
    try:
        resolve(JobSpec(name="form", target=target, command=command, kwargs={} if kwargs is None else kwargs))
    except TargetError as error:
        return {error.field: [str(error)]}
    return {}


def _resolve_command(line: str, kwargs: Mapping[str, Any]) -> Target:
    from django.core.management import call_command

    if kwargs:
        problem = f"A command takes no kwargs, and {', '.join(f'“{key}”' for key in kwargs)} would be ignored"
        raise TargetError("kwargs", problem, "Write its options on the command line and leave kwargs empty.")
    argv = check_command(line)
    return Target(name=argv[0], function=call_command, args=tuple(argv))


def _resolve_job(found: RegisteredJob, kwargs: Mapping[str, Any]) -> Target:
    first = next(iter(inspect.signature(found.function).parameters.values()))
    taken = first.name if first.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD else ""
    check_arguments(found.dotted, found.parameters, kwargs, taken)
    return Target(found.dotted, found.function, kwargs=kwargs, takes_context=True, is_async=found.is_async)


def _resolve_function(name: str, function: Callable[..., Any], kwargs: Mapping[str, Any]) -> Target:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TargetError("target", f"“{name}” has a “yield”, so a call would run nothing", "Loop inside the function.")
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        signature = inspect.Signature(
            [inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)]
        )  # C code may have none
    check_arguments(name, signature, kwargs)
    return Target(name, function, kwargs=kwargs, is_async=inspect.iscoroutinefunction(function))


def _load_allowed(dotted: str) -> Callable[..., Any]:
    """Import what matches a pattern, and refuse what only got into that module by an import of its own."""
    found = _load(dotted)
    if not (inspect.isroutine(found) or inspect.isclass(found)):
        problem = f"“{dotted}” is of type {type(found).__name__}, not a function"
        raise TargetError("target", problem, "Name a function, or write one that calls it.")
    own = f"{getattr(found, '__module__', None)}.{getattr(found, '__qualname__', None)}"
    if not _matches(own):
        problem = f"“{dotted}” is really “{own}”, which the project does not allow"
        raise TargetError(
            "target", problem, 'Mark a function of your own @job, or add that name to WORKERD["TARGETS"].'
        )
    return found


def _load(dotted: str) -> Any:
    names = dotted.split(".")
    path = names[0]
    found: Any = _import(dotted, path)
    for name in names[1:]:
        path = f"{path}.{name}"
        found = _step(dotted, path, found, name)
    return found


def _step(dotted: str, path: str, found: Any, name: str) -> Any:
    """Return the attribute ``name``, or the submodule of that name."""
    try:
        return getattr(found, name)
    except AttributeError:
        if isinstance(found, ModuleType) and hasattr(found, "__path__"):
            return _import(dotted, path)
        problem = f"“{dotted}” does not exist: “{path.rpartition('.')[0]}” has no “{name}”"
        raise TargetError("target", problem, "Correct the name.") from None
    except Exception as error:
        raise import_failed("target", dotted, error) from error


def _import(dotted: str, module: str) -> ModuleType:
    try:
        return import_module(module)
    except (Exception, SystemExit) as error:
        raise import_failed("target", dotted, error) from error


def _check_dotted(target: str) -> None:
    if not target:
        raise TargetError(
            "target", "Neither a target nor a command is set", "Name a function marked @job, or a command."
        )
    names = target.split(".")
    if len(target) > MAX_TARGET_LENGTH or len(names) < 2 or not all(_is_plain_name(name) for name in names):
        problem = f"“{target[:MAX_TARGET_LENGTH]}” is not a dotted path of a function"
        raise TargetError("target", problem, "Write it as “shop.jobs.ship_orders”.")


def _is_plain_name(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")


def _matches(dotted: str) -> bool:
    from .conf import get_settings

    return any(fnmatchcase(dotted, pattern) for pattern in get_settings().targets)


def _not_allowed(target: str) -> TargetError:
    remedy = 'Mark it @job in an app\'s jobs module, or add it to WORKERD["TARGETS"].'
    return TargetError("target", f"“{target}” is not a job that the project allows", remedy)

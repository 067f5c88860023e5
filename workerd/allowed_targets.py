"""Imports what ``WORKERD["TARGETS"]`` allows, and nothing that the project did not name."""

import inspect
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from importlib import import_module
from inspect import getmro
from itertools import takewhile
from types import ModuleType
from typing import Any

from .refusals import TargetError, import_failed

_WILD = frozenset("*?[")


def matches(dotted: str) -> bool:
    """Return whether a pattern allows ``dotted``; judged by strings, no import."""
    from .conf import get_settings

    return any(fnmatchcase(dotted, pattern) for pattern in get_settings().targets)


def load_allowed(dotted: str) -> Callable[..., Any]:
    """Import what matches a pattern, and refuse what only got into that module by an import of its own.

    Raises TargetError.
    """
    found = _load(dotted)
    # From Python 3.14 on a partial counts as a routine.
    if isinstance(found, partial) or not (inspect.isroutine(found) or inspect.isclass(found)):
        problem = f"“{dotted}” is of type {type(found).__name__}, not a function"
        raise TargetError("target", problem, "Name a function, or write one that calls it.")
    if not matches(own := _own_name(found)):
        raise _not_allowed(f"“{dotted}” is really “{own}”")
    if inspect.isclass(found):
        for inherited in map(_own_name, _constructors(found)):
            if not matches(inherited):
                raise _not_allowed(f"“{dotted}” is constructed by “{inherited}”")
    return found


def _own_name(found: Any) -> str:
    return f"{getattr(found, '__module__', None)}.{getattr(found, '__qualname__', None)}"


def _constructors(cls: type) -> Iterator[type]:
    """Yield the classes whose code a call of ``cls`` runs."""
    for owners, name in ((cls.__mro__, "__new__"), (cls.__mro__, "__init__"), (getmro(type(cls)), "__call__")):
        definer = next(owner for owner in owners if name in vars(owner))
        if definer not in {object, type}:
            yield definer


def _not_allowed(problem: str) -> TargetError:
    remedy = 'Mark a function of your own @job, or add that name to WORKERD["TARGETS"].'
    return TargetError("target", f"{problem}, which the project does not allow", remedy)


def check_pattern(pattern: str) -> None:
    """Import what ``pattern`` names before its first wildcard. Raises TargetError where that is not there."""
    names = pattern.split(".")
    named = list(takewhile(lambda name: not _WILD.intersection(name), names))
    if named == names:
        load_allowed(pattern)
    elif named:
        _load(".".join(named))


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

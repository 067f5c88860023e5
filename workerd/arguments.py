"""A row's arguments: whether they fit a signature; and the secrets that a row takes from the environment."""

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from .job_rules.env_references import ENVIRONMENT_KEY, environment_names
from .refusals import TargetError

_Kind = inspect.Parameter
_NAMED = (_Kind.POSITIONAL_OR_KEYWORD, _Kind.KEYWORD_ONLY)


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature. Annotations may name what only a type checker imports (PEP 649, from Python 3.14 on)."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def check_arguments(name: str, signature: inspect.Signature, kwargs: Mapping[str, Any], taken: str = "") -> None:
    """Raise TargetError unless ``name`` can be called with kwargs; ``taken`` is a parameter that workerd fills."""
    parameters = signature.parameters.values()
    _check_positional_only(name, parameters)
    named = [parameter for parameter in parameters if parameter.kind in _NAMED]
    known = [parameter.name for parameter in named]
    takes_any = any(parameter.kind is _Kind.VAR_KEYWORD for parameter in parameters)
    unexpected = [key for key in kwargs if key == taken or (key not in known and not takes_any)]
    if unexpected:
        takes = f"It takes {_listed(known)}." if known else "It takes none."
        raise TargetError("kwargs", f"“{name}” takes no argument {_listed(unexpected)}", takes)
    missing = [
        parameter.name for parameter in named if parameter.default is _Kind.empty and parameter.name not in kwargs
    ]
    if missing:
        raise TargetError("kwargs", f"“{name}” needs the argument {_listed(missing)}", "Add it to kwargs.")


def check_environment(field: str, values: Mapping[str, Any]) -> None:
    """Raise TargetError unless ``WORKERD["ENV"]`` allows every variable that ``values`` name; none is looked up.

    ``field`` is the column that holds them.
    """
    for path, variable in environment_names(field, values):
        from .conf import get_settings  # most rows name none

        if not any(fnmatchcase(variable, pattern) for pattern in get_settings().env):
            raise _no_variable(field, path, variable)


def read_environment(field: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return ``values`` with each ``{"$env": "NAME"}`` replaced by the variable's value, and what was put in.

    Only a child does this, after ``check_environment``.
    """
    secrets = []
    for path, variable in environment_names(field, values):
        if variable not in os.environ:
            raise _no_variable(field, path, variable)
        secrets.append(os.environ[variable])
    return {key: _filled(value) for key, value in values.items()}, secrets


def _no_variable(field: str, path: str, variable: str) -> TargetError:
    """Return one answer to a name that is not allowed and to one that is not set: it does not tell which there are."""
    problem = f"{path} asks for the environment variable “{variable}”, which is not allowed or not set"
    remedy = f'Add "{variable}" to WORKERD["ENV"], set it where the daemon is started, and restart the daemon.'
    return TargetError(field, problem, remedy)


def _filled(value: Any) -> Any:
    if isinstance(value, Mapping):
        if ENVIRONMENT_KEY in value:
            return os.environ[value[ENVIRONMENT_KEY]]
        return {key: _filled(inner) for key, inner in value.items()}
    return [_filled(inner) for inner in value] if isinstance(value, list) else value


def _check_positional_only(name: str, parameters: Any) -> None:
    for parameter in parameters:
        if parameter.kind is _Kind.POSITIONAL_ONLY and parameter.default is _Kind.empty:
            problem = f"“{name}” takes “{parameter.name}” by position only, and a row passes arguments by name"
            raise TargetError("target", problem, "Remove the “/” from its signature.")


def _listed(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)

"""The functions that the project marked ``@job``, by dotted name. ``job`` needs no Django, ``autodiscover`` does."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .arguments import signature_of
from .errors import WorkerdError
from .job_rules import join_sentences

if TYPE_CHECKING:
    from typing import Unpack

    from .job_fields import JobFields

JobFunction = TypeVar("JobFunction", bound=Callable[..., Any])

_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)


class RegistrationError(WorkerdError):
    """A function cannot be a job. ``@job`` raises this when its module is imported."""

    def __init__(self, dotted: str, problem: str, remedy: str) -> None:
        super().__init__(f"“{dotted}” cannot be a @job: {problem}. {remedy}")


@dataclass(frozen=True, slots=True)
class RegisteredJob:
    """A function marked ``@job``.

    ``summary`` is the first line of its docstring, ``parameters`` its signature without the context, and ``context``
    the name of the parameter that takes the context, "" where a row could not give it by name. ``defines`` is the name
    and the fields of the job that the mark defines, None where it defines none.
    """

    dotted: str
    function: Callable[..., Any]
    is_async: bool
    summary: str
    parameters: inspect.Signature
    context: str = ""
    defines: tuple[str, Mapping[str, Any]] | None = None


_registered: dict[str, RegisteredJob] = {}


@overload
def job(function: JobFunction, /) -> JobFunction: ...
@overload
def job(**fields: "Unpack[JobFields]") -> Callable[[JobFunction], JobFunction]: ...
def job(function: JobFunction | None = None, /, **fields: Any) -> JobFunction | Callable[[JobFunction], JobFunction]:
    """Mark a function at the top of a module as a job; rows may name it by its dotted name.

    With fields of a row, as in ``@job(schedule="@daily", processes=2)``, it also defines a job, of which ``workerd
    sync`` makes a row. That job has the function's name with - for _, or ``name``.

    The function is called with a JobContext as its first positional argument, and the row's keyword arguments.
    Raises RegistrationError for anything else than such a function: a method, a lambda, a generator, a function made
    inside another one or without a first positional parameter, or a second function of the same name; also for a value
    that no row may have. Raises TypeError for a field that is none.
    """
    if function is not None:
        _register(function)
        return function

    def mark(marked: JobFunction) -> JobFunction:
        _register(marked, fields)
        return marked

    return mark


def registered() -> Mapping[str, RegisteredJob]:
    """Return a read-only view of the jobs marked so far, by dotted name."""
    return MappingProxyType(_registered)


def autodiscover() -> None:
    """Import each installed app's ``jobs`` module, then ``WORKERD["PRELOAD"]`` and ``WORKERD["ENGINES"]``.

    Raises what those modules raise.
    """
    from django.utils.module_loading import autodiscover_modules

    from .conf import get_settings
    from .engines import module_of

    autodiscover_modules("jobs")
    settings = get_settings()
    for module in (*settings.preload, *map(module_of, settings.engines)):
        import_module(module)


def _register(function: Callable[..., Any], fields: Mapping[str, Any] = MappingProxyType({})) -> None:
    dotted = f"{getattr(function, '__module__', None)}.{getattr(function, '__qualname__', None) or repr(function)}"
    _check_kind(dotted, function)
    other = _registered.get(dotted)
    if other and _place(other.function) != _place(function):  # the same place means that importlib.reload ran it again
        raise RegistrationError(
            dotted, f"{_place(other.function)} marks another function of that name", "Rename one of them."
        )
    context, parameters = _parameters(dotted, function)
    _registered[dotted] = RegisteredJob(
        dotted=dotted,
        function=function,
        is_async=inspect.iscoroutinefunction(function),
        summary=(inspect.getdoc(function) or "").partition("\n")[0].strip(),
        parameters=parameters,
        context=context,
        defines=_read_fields(dotted, function, fields) if fields else None,
    )


def _read_fields(dotted: str, function: Callable[..., Any], fields: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    from .job_fields import read_fields  # most marks define no job

    name, values, faults = read_fields(dotted, function.__name__, fields)
    if faults:
        raise RegistrationError(dotted, "a field of the job that it defines is wrong", join_sentences(faults))
    return name, values


def _check_kind(dotted: str, function: Callable[..., Any]) -> None:
    if not inspect.isfunction(function):
        raise RegistrationError(
            dotted, f"it is of type {type(function).__name__}, not a function", "Mark a plain function."
        )
    if function.__name__ == "<lambda>":
        raise RegistrationError(dotted, "a lambda has no name that a row could hold", "Write a function with “def”.")
    if "<locals>" in function.__qualname__:
        remedy = "Define it at the top of its module; a decorator below @job must use functools.wraps."
        raise RegistrationError(dotted, "it is made inside another function, where no row can name it", remedy)
    if "." in function.__qualname__:
        raise RegistrationError(dotted, "it is a method of a class", "Define it at the top of its module.")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise RegistrationError(dotted, "it has a “yield”, so calling it would run nothing", "Loop inside it instead.")


def _parameters(dotted: str, function: Callable[..., Any]) -> tuple[str, inspect.Signature]:
    """Return the name of the first parameter, which takes the context, and the signature without it."""
    signature = signature_of(function)
    parameters = list(signature.parameters.values())
    if not parameters or parameters[0].kind not in _POSITIONAL:
        raise RegistrationError(dotted, "it takes no context", "Give it a first parameter “context: JobContext”.")
    context = parameters[0].name if parameters[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD else ""
    if parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
        del parameters[0]
    return context, signature.replace(parameters=parameters)


def _place(function: Callable[..., Any]) -> str:
    """Return ``file:line`` of the function's definition."""
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"

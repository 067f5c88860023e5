"""A task of another scheduler becomes the target or the command of a job."""

import inspect
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from .command_line import adopt_command
from .context import Context
from .draft import Draft

CALL_COMMAND = "django.core.management.call_command"
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)


def task_name(dotted: str, args: Sequence[Any]) -> str:
    """Return a name for what has none: the function's, or its management command's."""
    return str(args[0]) if dotted == CALL_COMMAND and args else dotted.rpartition(".")[2]


def adopt_task(draft: Draft, dotted: str, args: Sequence[Any], kwargs: Mapping[str, Any], context: Context) -> None:
    """Give ``draft`` what the function ``dotted`` is called for; or block it, with the job to write."""
    if dotted == CALL_COMMAND:
        _call_command(draft, args, kwargs, context)
        return
    for target in _candidates(dotted):
        if (signature := context.signature(target)) is not None:
            draft.values["target"] = target
            _give_arguments(draft, target, signature, args, kwargs)
            return
    draft.block(_no_job(dotted))


def _call_command(draft: Draft, args: Sequence[Any], kwargs: Mapping[str, Any], context: Context) -> None:
    options = [name for name in kwargs if name != "verbosity"]
    if not args or options:
        named = ", ".join(options) or "no command"
        draft.block(f"call_command is given {named}: write the command's options as words, such as “--days=30”.")
        return
    if "verbosity" in kwargs:
        draft.drop("verbosity", "A job says as much as the command does by itself.")
    adopt_command(draft, shlex.join(["manage.py", *map(str, args)]), context)


def _candidates(dotted: str) -> list[str]:
    """Return the function itself, what a task of Celery runs, and the job that a refusal has told to write."""
    module, _, name = dotted.rpartition(".")
    package = module.rpartition(".")[0] or module
    return [dotted, f"{dotted}.run", f"{package}.jobs.{name}"]


def _give_arguments(
    draft: Draft, target: str, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        draft.block(f"“{target}” does not take its arguments: {error}.")
        return
    named: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind in _BY_POSITION:
            draft.block(f"“{target}” takes “{name}” by position only, and a row passes arguments by name.")
        elif kind is inspect.Parameter.VAR_KEYWORD:
            named |= value
        else:
            named[name] = value
    if named:
        draft.values["kwargs"] = named


def _no_job(dotted: str) -> str:
    module, _, name = dotted.rpartition(".")
    if dotted.startswith("celery."):
        return f"“{dotted}” is Celery's own: leave it to Celery's beat, or have a job of your own do it."
    if not module:
        return f"“{dotted}” is no dotted path of a function: mark one @job, and name it in a row."
    package = module.rpartition(".")[0] or module
    return (
        f"“{dotted}” is no job: in {package}/jobs.py, write a function {name}(context, …) marked @job that calls it, "
        f"and adopt again: “{package}.jobs.{name}” is found then."
    )

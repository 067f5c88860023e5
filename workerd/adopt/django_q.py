"""One schedule of django-q2 as a job."""

import ast
import calendar
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from .adopted import Adopted, Refused
from .context import Context
from .draft import Draft
from .tasks import adopt_task, task_name
from .times import Times, TimesError, at, cron, every

_Read = TypeVar("_Read")
_MONTHS = {"M": 1, "BM": 2, "Q": 3, "Y": 12}
_NOT_READ = (SyntaxError, ValueError, TypeError, MemoryError, RecursionError, AttributeError)
"""The errors that Python raises for a text that is no literal."""


class QSchedule(NamedTuple):
    """The columns of a row; ``next_run`` is in the project's time zone, whose name is ``zone``."""

    name: str
    func: str
    schedule_type: str
    zone: str
    args: str = ""
    kwargs: str = ""
    minutes: int | None = None
    repeats: int = -1
    next_run: datetime | None = None
    cron: str = ""
    dropped: Mapping[str, Any] = {}  # shared: nobody changes it
    """Columns that have no counterpart, such as ``hook``; those without a value do not count."""
    intended_date_kwarg: str = ""


def adopt_schedule(row: QSchedule, place: str, context: Context, now: float) -> Adopted | Refused:
    """Return the job, or why there is none."""
    faults: list[str] = []
    args = _read(read_args, row.args, faults) or ()
    kwargs = _read(read_kwargs, row.kwargs, faults) or {}
    draft = Draft(row.name or task_name(row.func, args), place)
    draft.values["restart"] = "never"  # a schedule of django-q makes one task; its cluster tries it again
    try:
        read_times(row, now).give(draft)
    except TimesError as error:
        draft.block(str(error))
    if row.repeats == 0:
        draft.values["enabled"] = False
        draft.say("It has used up its repeats, and is disabled here.")
    elif row.repeats > 0 and row.schedule_type != "O":
        draft.say(f"It was to run {row.repeats} more times; here it goes on until it is disabled.")
    _drop(draft, {**row.dropped, "q_options": kwargs.pop("q_options", None)})
    if row.intended_date_kwarg:
        draft.drop(
            f"intended_date_kwarg {row.intended_date_kwarg}", "In a job, context.due is the time that it is for."
        )
    for fault in faults:
        draft.block(fault)
    if not faults:
        adopt_task(draft, row.func, args, kwargs, context)
    return draft.finish()


def _read(reader: Callable[[str], _Read], text: str, faults: list[str]) -> _Read | None:
    try:
        return reader(text)
    except TimesError as error:
        faults.append(str(error))
        return None


def _drop(draft: Draft, without: Mapping[str, Any]) -> None:
    for name in [name for name, value in without.items() if value]:
        draft.drop(name, "A job is called, and that is all: no hook, no cluster, no group.")


def read_times(row: QSchedule, now: float) -> Times:
    """Return the times of a row: of those without a text of cron, ``next_run`` has the phase. Raises TimesError."""
    if row.schedule_type == "C":
        return cron(row.cron, row.zone)
    if row.schedule_type == "I":
        return every((row.minutes or 1) * 60, "django-q counts from the last run; {} counts from midnight UTC.")
    if row.next_run is None:
        raise TimesError("It has no next run, from which its times would follow.")
    if row.schedule_type == "O":
        return at(row.next_run, now)
    return cron(_fields(row.schedule_type, row.next_run), row.zone, _told_seconds(row.next_run))


def _told_seconds(first: datetime) -> tuple[str, ...]:
    return (f"It ran at second {first.second}; a schedule is due at whole minutes.",) if first.second else ()


def _fields(kind: str, first: datetime) -> str:
    """Return five fields for times that repeat from ``first`` on. Raises TimesError."""
    if kind == "H":
        return f"{first.minute} * * * *"
    if kind == "D":
        return f"{first.minute} {first.hour} * * *"
    if kind == "W":
        return f"{first.minute} {first.hour} * * {first.isoweekday() % 7}"
    if kind == "BW":
        raise TimesError(
            f"Every second week is no schedule: write “{first.minute} {first.hour} * * {first.isoweekday() % 7}” and "
            "have the job pass over every other week, or write “every 14 d”, which is due at midnight UTC."
        )
    if kind not in _MONTHS:
        raise TimesError(f"“{kind}” is no type of schedule that is known here.")
    months = sorted({(first.month - 1 + step) % 12 + 1 for step in range(0, 12, _MONTHS[kind])})
    if first.day > min(calendar.monthrange(2026, month)[1] for month in months):
        raise TimesError(
            f"Not each of its months has a day {first.day}: write “L” for the last day of the month, or day 28."
        )
    month = "*" if len(months) == 12 else ",".join(map(str, months))
    return f"{first.minute} {first.hour} {first.day} {month} *"


def read_args(text: str) -> tuple[Any, ...]:
    """Return positional arguments, which django-q writes as Python does. Raises TimesError."""
    if not text.strip():
        return ()
    try:
        args = ast.literal_eval(text.strip())
    except _NOT_READ as error:
        raise TimesError("Its args are no Python values, such as “1, 'main'”: correct them.") from error
    return args if isinstance(args, tuple) else (args,)


def read_kwargs(text: str) -> dict[str, Any]:
    """Return keyword arguments, written as a dict or as ``a=1, b='x'``. Raises TimesError."""
    if not text.strip():
        return {}
    try:
        if text.lstrip().startswith("{"):
            return {str(name): value for name, value in ast.literal_eval(text.strip()).items()}
        call = ast.parse(f"f({text})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(word.arg is None for word in call.keywords):
            raise ValueError
        return {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    except _NOT_READ as error:
        raise TimesError("Its kwargs are neither a dict nor NAME=value, such as “days=30”: correct them.") from error

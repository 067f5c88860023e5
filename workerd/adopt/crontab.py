"""A user's crontab, and a file of cron.d, whose lines name a user: each line is a job with a schedule."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .adopted import Adopted, Refused, Result, told_users
from .context import Context
from .cron_entry import adopt_entry
from .cron_variables import Variables
from .names import shortened

_VARIABLE = re.compile(r"""("[^"]+"|'[^']+'|[A-Za-z_]\w*)\s*=\s*(.*)""", re.ASCII)
_FIELD = r"[*\d][\w*/,~#-]*|[A-Za-z]{3}(?:[/,#-][\w/,#-]*)?|[?L][\w/,#-]*"
_ENTRY = re.compile(rf"(?P<schedule>@[A-Za-z]\w*|(?:{_FIELD})(?:\s+(?:{_FIELD})){{4}})\s+(?P<rest>\S.*)", re.ASCII)
_USER = re.compile(r"(?P<user>[a-z_][a-z0-9_-]*\$?)\s+(?P<command>[^\s-].*)", re.ASCII)
_NO_USERS = re.compile(
    r"(python|pypy)[\d.]*|env|exec|cd|nice|ionice|flock|timeout|nohup|sh|bash|dash|sudo|test|umask|source|django-admin"
    r"|celery|gunicorn|uwsgi|poetry|pipenv|uv|pdm|docker|find|rm|curl|wget|echo|run-parts"
)
"""Words that could be a user's name, and begin a command."""


class Line(NamedTuple):
    """A line that is no comment."""

    number: int
    text: str


def fits(_path: Path, text: str) -> bool:
    """Return whether a line of the text begins with times of cron."""
    return any(_ENTRY.fullmatch(line.text) for line in _lines(text))


def fits_with_users(path: Path, text: str) -> bool:
    """Return whether each line with times has a user's name before its command."""
    entries = [match for line in _lines(text) if (match := _ENTRY.fullmatch(line.text))]
    return bool(entries) and (path.parent.name == "cron.d" or all(_has_user(entry["rest"]) for entry in entries))


def read(path: Path, text: str, context: Context) -> Result:
    return _read(path, text, context, has_users=False)


def read_with_users(path: Path, text: str, context: Context) -> Result:
    return _read(path, text, context, has_users=True)


def _read(path: Path, text: str, context: Context, *, has_users: bool) -> Result:
    result = Result()
    variables = Variables(context)
    users: dict[str, None] = {}
    for line in _lines(text):
        place = f"{path}, line {line.number}"
        if entry := _ENTRY.fullmatch(line.text):
            user, command = _split_user(entry["rest"]) if has_users else ("", entry["rest"])
            program = adopt_entry(place, entry["schedule"], user, command, variables)
            users |= {user: None} if isinstance(program, Adopted) and user else {}
            result.add(program)
        elif variable := _VARIABLE.fullmatch(line.text):
            variables.take(_unquoted(variable[1]), _unquoted(variable[2].strip()))
        else:
            name = shortened(context.mask(line.text))
            result.add(Refused(name, place, "It is no line of a crontab: five fields or a nickname, then a command."))
    result.notes.extend(variables.told())
    result.notes.extend([*_told_entries(result), *told_users(users)])
    return result


def _told_entries(result: Result) -> Iterator[str]:
    if any("schedule" in job.values for job in result.adopted):
        yield "cron starts a process beside one that still runs; workerd skips that time, unless overlap says other."


def _lines(text: str) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), 1):
        if (stripped := line.strip()) and not stripped.startswith("#"):
            yield Line(number, stripped)


def _has_user(rest: str) -> bool:
    found = _USER.fullmatch(rest)
    return found is not None and not _NO_USERS.fullmatch(found["user"])


def _split_user(rest: str) -> tuple[str, str]:
    user, *command = rest.split(maxsplit=1)
    return user, "".join(command)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text

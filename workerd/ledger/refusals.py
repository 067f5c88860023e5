"""Says what a database's refusal of a record is about, in words that hold nothing of the record's texts."""

import re
from collections.abc import Iterator
from typing import Any

from workerd.errors import WorkerdError
from workerd.forksafe.db_errors import number_of, sqlstate_of

from .entry import Entry

_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_QUOTED = re.compile(r"""(\b(?:column|field|key|constraint|table|relation)\s+)?(['"])(.*?)\2""", re.IGNORECASE)
"""A quoted part of a refusal, and the word before it; what is in backticks names something, and stays."""
_NAME = re.compile(r"[A-Za-z_][\w.$`]*")


class RefusedRecordError(WorkerdError, ValueError):
    """No database would take this record."""


class SharedRefusalError(WorkerdError):
    """The database refuses every record of a kind, also one without any content: its tables are not this version's."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        self.reason = reason
        super().__init__(f"it takes no {kind} of this version at all: {reason}")


def describe_refusal(error: BaseException) -> str:
    """Return the error's class, what it says without what it quotes of the record, and its code."""
    name = type(error).__name__
    if isinstance(error, RefusedRecordError):
        return f"{name}: {error}"
    code = sqlstate_of(error) or number_of(error)
    if error.__cause__ is None and not code:
        return name  # Python's own errors quote the value in every way
    said = str(error.args[-1] if error.args else error).partition("\n")[0]
    return f"{name}: {without_texts(said)[:300]}{f' ({code})' if code else ''}"


def without_texts(said: str) -> str:
    """Return what a server says, without what it quotes unless that names a column, a table or a constraint."""
    return _QUOTED.sub(_without_text, said)


def narrowed(entry: Entry) -> Iterator[Entry]:
    """Yield the entry with ever fewer characters, for a database that cannot store all."""
    for pattern, substitute in ((_BEYOND_BMP, "\N{REPLACEMENT CHARACTER}"), (_BEYOND_ASCII, "?")):
        row = _replace_in(entry.row, pattern, substitute)
        if row != entry.row:
            yield entry._replace(row=row)


def ascii_only(text: str) -> str:
    """Return the text as any database can store it."""
    return _BEYOND_ASCII.sub("?", text)


def _replace_in(value: Any, pattern: re.Pattern[str], substitute: str) -> Any:
    if isinstance(value, str):
        return pattern.sub(substitute, value)
    if isinstance(value, dict):
        return {key: _replace_in(item, pattern, substitute) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_in(item, pattern, substitute) for item in value]
    return value


def _without_text(match: re.Match[str]) -> str:
    named, quote, text = match.groups()
    return match[0] if named and _NAME.fullmatch(text) else f"{named or ''}{quote}…{quote}"

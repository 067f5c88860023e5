"""The five fields are checked here, with a remedy for each fault: cronsim's own errors name a field alone."""

import re
from dataclasses import dataclass

from .dues import ScheduleError

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
EXAMPLE = "“30 2 * * *” (minute, hour, day of the month, month, weekday)"
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

_VALUE = r"[0-9]{1,2}|[A-Z]{3}"
_TERM = re.compile(rf"(?:\*|({_VALUE})(?:-({_VALUE}))?)(?:/([0-9]{{1,2}}))?")


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five: its name, its bounds, and the names that its values may have."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    special: str = "(?!)"

    def check(self, text: str) -> None:
        for term in text.split(","):
            if not re.fullmatch(self.special, term):
                self._check_term(term)

    def _check_term(self, term: str) -> None:
        match = _TERM.fullmatch(term)
        if match is None:
            raise ScheduleError(f"“{term}” is no {self.name}: {self._remedy(term)}")
        first, last, step = match.groups()
        start = self.low if first is None else self._value(first)
        end = self.high if last is None else self._value(last)
        if end < start:
            raise ScheduleError(f"“{term}” runs backwards: write “{self._around(start, end, int(step or 1))}”")
        if step is not None:
            self._check_step(term, int(step), start if first else None, end if last else None)

    def _check_step(self, term: str, step: int, start: int | None, end: int | None) -> None:
        if step == 0:
            raise ScheduleError(f"“{term}” has a step of 0: write 1 or more after the stroke")
        if step > self.high - self.low:
            raise ScheduleError(f"“{term}” has a step beyond the last {self.name}: write the values, such as “0,30”")
        if start is not None and start == end:
            one = term.partition("-")[0]
            raise ScheduleError(f"“{term}” is one value with a step: write “{one}”, or “{one}-{self.high}/{step}”")

    def _value(self, text: str) -> int:
        if text in self.names:
            return self.low + self.names.index(text)
        if not text.isdigit() or not self.low <= int(text) <= self.high:
            raise ScheduleError(f"“{text}” is no {self.name}: {self._remedy(text)}")
        return int(text)

    def _around(self, start: int, end: int, step: int) -> str:
        """Return the values of a range over the end of the field, as a list."""
        count = len(self.names) or self.high - self.low + 1
        last = end + count if end < start else end
        values = [self.low + (value - self.low) % count for value in range(start, last + 1, step)]
        return ",".join(str(value) for value in values)

    def _remedy(self, term: str) -> str:
        if term == "":
            return "take the comma away, or write a value beside it"
        if "?" in term:
            return "write “*” for any"
        if re.match(r"H\b|R\b|~", term):
            return f"write a fixed one, such as {self.low + 7}; nothing is chosen for you"
        if re.search(r"\d+W", term):
            return "the weekday next to a date cannot be written; “LW” is the month's last weekday"
        if re.fullmatch(r"L\d|[A-Z]{3}L", term) and self.names is WEEKDAYS:
            return "the month's last Friday is “5L”"
        if self.names and term[:3] in self.names:
            return f"write “{term[:3]}”"
        names = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return f"write {self.low} to {self.high}{names}, “*”, a list “1,2”, a range “1-5” or a step “*/2”"


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31, special="LW?"),
    Field("month", 1, 12, MONTHS),
    Field("weekday", 0, 7, WEEKDAYS, special=rf"[0-7]L|(?:[0-7]|{'|'.join(WEEKDAYS)})#[1-5]"),
)


def check(text: str) -> str:
    """Return five fields for cronsim. Raises ScheduleError."""
    words = NICKNAMES.get(text.lower(), text).upper().split()
    if len(words) != len(FIELDS):
        raise ScheduleError(f"“{text}” {_remedy(text, words)}")
    for field, word in zip(FIELDS, words, strict=True):
        field.check(word)
    return " ".join(words)


def _remedy(text: str, words: list[str]) -> str:
    if words[0] == "@REBOOT":
        return "is no time: a row without a schedule starts with the daemon"
    if words[0] == "@EVERY":
        return "is not known: write “every 15 min”"
    if words[0].startswith("@"):
        return f"is not known: write one of {', '.join(NICKNAMES)}"
    if "=" in words[0]:
        return f"begins with a setting: the time zone stands in its own field; write {EXAMPLE}"
    if re.search(r",\s|\s,", text):
        return "has a space beside a comma: write a list without, such as “1,15”"
    if len(words) in {6, 7} and all(re.fullmatch(r"[0-9*/,?LW#-]+|[A-Z]{3}(?:-[A-Z]{3})?", word) for word in words):
        return f"has {len(words)} fields: seconds and years are not known; write five, such as {EXAMPLE}"
    if len(words) > len(FIELDS):
        return f"has more than a schedule: the command stands in its own field; write {EXAMPLE}"
    return f"is no schedule: write {EXAMPLE}, “every 15 min” or “at 2026-12-24 18:00”"

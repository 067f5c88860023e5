"""Reads supervisor's kind of INI file as its own parser does, but for the errors: what has no place is kept as such."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_INLINE_COMMENT = re.compile(r"(?:^|(?<=\s))[;#]")
_HEADER = re.compile(r"\[(.+)\]")
_DELIMITER = re.compile("[=:]")


@dataclass(slots=True)
class Section:
    """The options of a section by their names in lower case; of a repeated one the last value counts."""

    name: str
    line: int
    options: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    """The names of options that stand more than once."""


@dataclass(slots=True)
class IniFile:
    """The sections by name, and the lines that belong to none."""

    sections: dict[str, Section] = field(default_factory=dict)
    strays: list[tuple[int, str]] = field(default_factory=list)
    repeated: list[tuple[int, str]] = field(default_factory=list)
    """Where a section of a name begins that was there before: both are taken together."""


def read_ini(text: str) -> IniFile:
    """Return the file as ``RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))`` has it."""
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        reader.take(number, line)
    return reader.done()


class _Reader:
    def __init__(self) -> None:
        self._file = IniFile()
        self._section: Section | None = None
        self._values: dict[tuple[str, str], list[str]] = {}
        self._value: list[str] | None = None  # the lines of the option that a deeper line goes on with
        self._indent = 0

    def take(self, number: int, line: str) -> None:
        comment = _INLINE_COMMENT.search(line)
        text = (line[: comment.start()] if comment else line).strip()
        if not text:
            if comment is None and self._value is not None:
                self._value.append("")
            return
        indent = len(line) - len(line.lstrip())
        if self._value is not None and indent > self._indent:
            self._value.append(text)
            return
        self._indent = indent
        if header := _HEADER.match(text):
            self._begin(header[1], number)
        elif self._section and (delimiter := _DELIMITER.search(text)) and delimiter.start():
            name, value = text[: delimiter.start()], text[delimiter.end() :]
            self._add(self._section, name.rstrip().lower(), value.strip())
        else:
            self._value = None
            self._file.strays.append((number, text))

    def done(self) -> IniFile:
        for (section, option), lines in self._values.items():
            self._file.sections[section].options[option] = "\n".join(lines).rstrip()
        return self._file

    def _begin(self, name: str, number: int) -> None:
        if name in self._file.sections:
            self._file.repeated.append((number, name))
        self._section = self._file.sections.setdefault(name, Section(name, number))
        self._value = None

    def _add(self, section: Section, option: str, value: str) -> None:
        if (section.name, option) in self._values and option not in section.repeated:
            section.repeated.append(option)
        self._value = self._values[section.name, option] = [value]


def options_of(section: Section) -> Iterator[tuple[str, str]]:
    yield from section.options.items()

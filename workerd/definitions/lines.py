"""The lines of a TOML file in which tables and keys stand: the standard reader tells none."""

import re

_PART = r"""(?:[A-Za-z0-9_-]++|"(?:\\.|[^"\\])*+"|'[^']*+')"""
_PATH = rf"(?P<path>{_PART}(?:\s*+\.\s*+{_PART})*+)"
_HEADER = re.compile(rf"\s*+\[\[?\s*+{_PATH}\s*+\]")
_KEY = re.compile(rf"\s*+{_PATH}\s*+=")
_PARTS = re.compile(_PART)
_LONG = re.compile(r'"""|\'\'\'')

Path = tuple[str, ...]


def find_lines(text: str) -> dict[Path, int]:
    """Return the line in which each path of keys is named first, such as ``("jobs", "mail", "processes")``.

    A path that stands inside a value, as in an inline table, is not found.
    """
    found: dict[Path, int] = {}
    table: Path = ()
    closing = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not closing:
            if header := _HEADER.match(line):
                table = _split(header["path"])
                _note(found, table, number)
            elif key := _KEY.match(line):
                _note(found, table + _split(key["path"]), number)
        closing = _closing(line, closing)
    return found


def _note(found: dict[Path, int], path: Path, number: int) -> None:
    for length in range(1, len(path[:4]) + 1):  # deeper than a field of a job nobody asks
        found.setdefault(path[:length], number)


def _split(path: str) -> Path:
    return tuple(part.strip("\"'") for part in _PARTS.findall(path))


def _closing(line: str, closing: str) -> str:
    """Return what ends the text of several lines in which the next line begins; "" where it begins in none."""
    for delimiter in _LONG.findall(line):
        if not closing:
            closing = delimiter
        elif delimiter == closing:
            closing = ""
    return closing

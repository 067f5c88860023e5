"""A unit file of systemd: repeated directives are a list, and an empty one begins it anew."""

from collections.abc import Iterator
from dataclasses import dataclass, field

COMMENTS = ("#", ";")


@dataclass(slots=True)
class Unit:
    """A unit, as its file and its drop-ins describe it together."""

    name: str
    """With its ending: "mail.service"."""
    values: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """By section and name of the directive; none where an empty one came last."""
    sections: dict[str, str] = field(default_factory=dict)
    """Where each begins first: file and line."""
    faults: list[str] = field(default_factory=list)
    """A sentence about each line that is no assignment."""

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0]

    def add(self, text: str, file: str) -> None:
        """Take the lines of the unit's file, or of a drop-in, in the order in which systemd reads them."""
        section = ""
        for number, line in _logical_lines(text):
            name, equals, value = line.partition("=")
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1]
                self.sections.setdefault(section, f"{file}, line {number}")
            elif not equals or not name.strip() or not section:
                where = "stands in no section" if equals and name.strip() else "is no assignment"
                self.faults.append(f"{file}, line {number}: “{line[:60]}” {where}; systemd takes no notice of it.")
            else:
                values = self.values.setdefault((section, name.strip()), [])
                if value.strip():
                    values.append(value.strip())
                else:
                    values.clear()

    def all(self, section: str, name: str) -> list[str]:
        """Return the values of a directive, without those before an empty one."""
        return self.values.get((section, name), [])

    def last(self, section: str, name: str) -> str:
        """Return the value that counts of a directive that has one, "" where there is none."""
        return next(iter(self.all(section, name)[-1:]), "")


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with the number of its first part: a backslash joins the next one, past comments."""
    start, joined = 0, ""
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped.startswith(COMMENTS) or not (joined or stripped):
            continue
        start = start if joined else number
        if stripped.endswith("\\"):
            joined += f"{stripped[:-1].rstrip()} "
        else:
            joined, whole = "", (joined + stripped).strip()
            if whole:
                yield start, whole
    if joined.strip():
        yield start, joined.strip()

"""Compares what was seen plainly and under workerd: an aspect at a time."""

import re
from dataclasses import dataclass
from typing import Any

from .case import Case
from .observation import Observation
from .output import compare

KINDS = {"rows": "rows", "key": "keys", "file": "files", "process": "processes"}
ASPECTS = ("work in hand", "exit code", "output", "left behind")


@dataclass(frozen=True)
class Comparison:
    """A case's runs: plainly with TERM, plainly with INT where nothing catches TERM, and under workerd.

    A command that does not catch TERM gets Ctrl-C from workerd, as docs/jobs.md says: so it is compared with that.
    """

    name: str
    case: Case
    version: str
    term: Observation
    interrupt: Observation | None
    under: Observation

    @property
    def plain(self) -> Observation:
        """What the run under workerd is to be like."""
        return self.interrupt or self.term

    def differences(self) -> dict[str, list[str]]:
        """Return the aspects that differ, each with what differs."""
        plain, under = self.plain, self.under
        is_interrupted = plain.exit == "SIGINT" and under.exit == "0"  # the end that was asked for counts as a success
        chance = (*self.case.chance, *(["^KeyboardInterrupt$"] if is_interrupted else []))
        found: dict[str, Any] = {
            "work in hand": _unlike(*(self._certain(seen.deeds) for seen in (plain, under))),
            "exit code": [] if is_interrupted else _unlike([plain.exit], [under.exit]),
            "output": compare(plain.output, under.output, chance),
            "left behind": _unlike(plain.left, under.left),
        }
        return {aspect: unlike for aspect, unlike in found.items() if unlike}

    def cells(self) -> list[str]:
        """Return the table's cells."""
        differ = self.differences()
        same = {
            "work in hand": self.under.became_of("long"),
            "exit code": f"{self.under.exit}{', as it was asked to end' if self.interrupt else ''}",
            "output": "the level of some lines is in the text alone" if self._has_levels_in_text else "",
            "left behind": ", ".join(dict.fromkeys(KINDS[what.split()[0]] for what in self.under.left)) or "nothing",
        }
        same = {aspect: f"same: {words}" if words else "same" for aspect, words in same.items()}
        return [
            f"differs: {self.case.differs.get(aspect, '; '.join(differ[aspect]))}" if aspect in differ else same[aspect]
            for aspect in ASPECTS
        ]

    def _certain(self, deeds: tuple[str, ...]) -> list[str]:
        return [deed for deed in deeds if not any(re.search(pattern, deed) for pattern in self.case.chance)]

    @property
    def _has_levels_in_text(self) -> bool:
        """Whether records came as printed text: a program that the command started wrote them, or its own handler."""
        return any(line.logger and line.stream for line in self.under.output)

    def report(self) -> str:
        """Say all that differs, and both runs."""
        lines = [f"{aspect}: {line}" for aspect, found in self.differences().items() for line in found]
        for title, seen in (("term", self.term), ("interrupt", self.interrupt), ("under", self.under)):
            if seen is not None:
                lines += [f"--- {title}: exit {seen.exit}, {seen.seconds:.2f} s after the signal"]
                lines += [*map(str, seen.deeds), *map(str, seen.left), *map(str, seen.output)]
        return "\n".join(lines)


def _unlike(plain: Any, under: Any) -> list[str]:
    mine, theirs = list(under), list(plain)
    for item in plain:
        if item in mine:
            mine.remove(item)
            theirs.remove(item)
    return [*(f"only plainly: {item}" for item in theirs), *(f"only under workerd: {item}" for item in mine)]

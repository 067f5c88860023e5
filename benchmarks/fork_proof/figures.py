"""What a cell came to: its figures, and in words whether it was right."""

from dataclasses import asdict, dataclass, field
from typing import Any

from .counters import ANSWERED, ERRORS, PARENT, WRITTEN, WRONG, Counters


@dataclass(frozen=True)
class Figures:
    """One cell: a strategy on a backend over a transport."""

    backend: str
    transport: str
    strategy: str
    cipher: str
    births: int
    restarts: int
    answered: int
    wrong: int
    errors: int
    hung: int
    writes_lost: int
    leaked: int
    parent_wrong: int
    parent_errors: int
    parent_hung: bool
    session_kept: bool
    seconds: float
    error_texts: list[str] = field(default_factory=list)

    @classmethod
    def collect(cls, cell: tuple[str, str, str], counters: Counters, result: dict[str, Any] | None) -> "Figures":
        """Put a cell's counters and its parent's own result together; without a result the parent hung."""
        births = result["births"] if result else _births(counters)
        written = counters.total(WRITTEN, births)
        texts = dict.fromkeys(text for row in range(births + 1) if (text := counters.error(row)))
        return cls(
            *cell,
            cipher=result["cipher"] if result else "",
            births=births,
            restarts=max(0, births - 4),
            answered=counters.total(ANSWERED, births),
            wrong=counters.total(WRONG, births),
            errors=counters.total(ERRORS, births),
            hung=result["hung"] if result else 0,
            writes_lost=max(0, written - result["rows_written"]) if result else 0,
            leaked=result["leaked"] if result else 0,
            parent_wrong=counters.get(PARENT, WRONG),
            parent_errors=counters.get(PARENT, ERRORS),
            parent_hung=result is None,
            session_kept=bool(result and result["session_kept"]),
            seconds=result["seconds"] if result else 0.0,
            error_texts=list(texts)[:5],
        )

    @property
    def is_right(self) -> bool:
        """Whether every question had its own answer, and nothing else happened."""
        return self.answered > 0 and not self.faults()

    def faults(self) -> list[str]:
        """Return what went wrong, in words."""
        asked = self.answered + self.errors
        found = [
            (self.wrong, f"{_share(self.wrong, self.answered)} of the rows wrong"),
            (self.errors, f"{_share(self.errors, asked)} of the queries errors"),
            (self.hung, f"{self.hung} of {self.births} children hung"),
            (self.writes_lost, f"{self.writes_lost} committed rows lost"),
            (self.leaked, f"{self.leaked} sessions leaked"),
            (self.parent_hung, "parent hung"),
            (self.parent_wrong, "parent read wrong rows"),
            (self.parent_errors, "parent's queries failed"),
        ]
        return [words for count, words in found if count]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def _share(part: int, whole: int) -> str:
    share = part / max(1, whole)
    return f"{share:.0%}" if share >= 0.01 else "under 1%"


def _births(counters: Counters) -> int:
    """Return how many children a hung cell had, by the rows that they left something in."""
    row = 1
    while counters.get(row, ANSWERED) or counters.get(row, ERRORS) or counters.get(row + 1, ANSWERED):
        row += 1
    return row - 1

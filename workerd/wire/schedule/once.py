"""A single moment (``Once``)."""

from dataclasses import dataclass

from .dues import Schedule
from .local import date_and_time


@dataclass(frozen=True, slots=True)
class Once(Schedule):
    """Due once."""

    moment: int
    written: int | None
    """The wall time as written; None where an offset is written with it."""

    def skipped(self, due: float) -> int | None:
        shown = int(due) + self.clock.offset(int(due))
        return None if self.written in {None, shown} else self.written

    def words(self) -> str:
        return f"Once, on {date_and_time(self.clock.local(self.moment))}"

    def _next(self, second: int) -> int | None:
        return self.moment if second < self.moment else None

    def _count(self, after: int, until: int) -> int:
        return int(after < self.moment <= until)

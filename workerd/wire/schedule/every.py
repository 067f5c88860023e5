"""An interval: due at each multiple of it since 1970, so that no restart moves it (``Every``)."""

from dataclasses import dataclass

from .dues import Schedule
from .zone import DAY

UNITS = (("day", DAY), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclass(frozen=True, slots=True)
class Every(Schedule):
    """Due every so many seconds."""

    interval: int

    def skipped(self, due: float) -> None:
        """An interval has no wall time."""

    def words(self) -> str:
        name, size = next((name, size) for name, size in UNITS if self.interval % size == 0)
        many = self.interval // size
        length = name if many == 1 else f"{many} {name}s"
        start = "midnight UTC" if DAY % self.interval == 0 else "1 January 1970, 00:00 UTC"
        return f"Every {length}, counted from {start}"

    def _next(self, second: int) -> int:
        return (second // self.interval + 1) * self.interval

    def _count(self, after: int, until: int) -> int:
        return max(until // self.interval - after // self.interval, 0)

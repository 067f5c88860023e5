"""Reads what the witnesses have left, and finds two processes of one seat that ran at once."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SILENT_S = 0.15
"""A process that wrote nothing for so long stood still meanwhile, and did nothing."""


@dataclass(frozen=True)
class Span:
    """From when to when a process wrote without a pause."""

    seat: str
    token: int
    node: str
    pid: int
    began: float
    ended: float


@dataclass(frozen=True)
class Witnesses:
    """The files in a folder."""

    folder: Path

    def spans(self, seat: str = "") -> list[Span]:
        """Return all spans, of one seat or of all, in the order of their begins."""
        found = [span for path in self.folder.iterdir() for span in _spans(path)]
        return sorted((span for span in found if not seat or span.seat == seat), key=lambda span: span.began)

    def overlaps(self) -> list[str]:
        """Return each pair of processes of one seat of which one wrote while the other did."""
        return [f"{seat}: {first} and {second}" for seat, first, second in overlapping(self.spans())]

    def writing(self) -> set[str]:
        """Return the seats of which a process writes now, without reading the files."""
        return {path.name.split(" ")[0] for path in self._written_now()}

    def pids_writing(self, node: str, job: str = "") -> list[int]:
        """Return the processes that write on a node now, of one job or of all."""
        names = [path.name.split(" ") for path in self._written_now()]
        return sorted(
            int(pid) for seat, _, host, pid in names if host == node and seat.startswith(f"{job}:" if job else "")
        )

    def _written_now(self) -> list[Path]:
        now = time.time()
        return [path for path in self.folder.iterdir() if now - path.stat().st_mtime < 2 * SILENT_S]

    def newest(self, seat: str) -> Span | None:
        """Return the span that began last."""
        spans = self.spans(seat)
        return spans[-1] if spans else None

    def first(self, span: Span) -> Span:
        """Return the first span of the same process, which may have stood still since."""
        same = (span.seat, span.token, span.node, span.pid)
        return next(one for one in self.spans(span.seat) if (one.seat, one.token, one.node, one.pid) == same)

    def running(self, seat: str, now: float) -> Span | None:
        """Return the span that goes on at ``now``."""
        newest = self.newest(seat)
        return newest if newest is not None and now - newest.ended < 2 * SILENT_S else None


def overlapping(spans: list[Span]) -> Iterator[tuple[str, Span, Span]]:
    """Yield each two spans of different processes of one seat that have a moment in common."""
    open_spans: dict[str, list[Span]] = {}
    for span in spans:
        before = [other for other in open_spans.get(span.seat, []) if other.ended >= span.began]
        yield from ((span.seat, other, span) for other in before if other.pid != span.pid)
        open_spans[span.seat] = [*before, span]


def _spans(path: Path) -> list[Span]:
    seat, token, node, pid = path.name.split(" ")
    if token == "None":  # of a job of each node, which has no seats
        return []
    times = [float(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    spans: list[Span] = []
    for moment in times:
        if spans and moment - spans[-1].ended < SILENT_S:
            spans[-1] = Span(seat, int(token), node, int(pid), spans[-1].began, moment)
        else:
            spans.append(Span(seat, int(token), node, int(pid), moment, moment))
    return spans

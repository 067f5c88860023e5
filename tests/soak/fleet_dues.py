"""Each moment of the fleet's schedules has one end: it was run for, or missed with a reason; never twice, never none.

One exception is documented (docs/fleet.md, Schedules): a run that began, or came to its end, while its node could not
tell the database, and whose seat another holding had before it could. It shows by its token, and by the trouble that
the soak made just then.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from tests.fleet.fleet import Fleet
from tests.fleet.jobs import DUES

from .fleet_jobs import EVERY_S, JOBS
from .fleet_orders import Trouble

FOREVER = float("inf")
UNNOTICED_S = 5.0
"""A link that is cut, or a server that is out, is known to be so after this: then a run begins without a word."""
Key = tuple[str, int]
"""A seat's name and the moment."""


class Told(NamedTuple):
    """A run as its own process has told of it; wall seconds."""

    run: str
    token: int
    host: str
    began: float
    ended: float


class Outage(NamedTuple):
    """A time in which a life of a daemon knew that its database was out; endless where it saw no end."""

    host: str
    began: float
    seen_until: float
    over: float


class Dues:
    """What the processes, the history and the nodes' logs say of every due moment."""

    def __init__(self, fleet: Fleet, troubles: list[Trouble], first: float, last: float) -> None:
        self._troubles, self._first, self._last = troubles, first, last
        self.told = _read_told(fleet)
        self.rows, self.missed, self.unexplained = _read_rows(fleet)
        self._outages = list(_outages(fleet))
        self.excused: list[str] = []

    @property
    def figures(self) -> dict[str, int]:
        runs = sum(len(told) for told in self.told.values())
        return {"moments": len(list(self._keys())), "runs": runs, "missed": sum(self.missed.values())}

    def complaints(self) -> Iterator[str]:
        """Yield what is wrong with each moment."""
        for key in self._keys():
            yield from self._judge(key, JOBS[key[0].partition(":")[0]]["restart"] == "never")
        yield from self.unexplained

    def _keys(self) -> Iterator[Key]:
        first, last = (round(moment // EVERY_S * EVERY_S) for moment in (self._first + EVERY_S, self._last))
        for name, fields in JOBS.items():
            for index in range(fields.get("processes", 1) if "schedule" in fields else 0):
                yield from ((f"{name}:{index}", moment) for moment in range(first, last + 1, EVERY_S))

    def _judge(self, key: Key, is_once: bool) -> Iterator[str]:
        told, rows, missed = self.told.get(key, []), self.rows.get(key, {}), self.missed[key]
        say = f"{key[0]} at {key[1]}: rows {rows}, {missed} missed, runs {told}"
        if not rows and not missed:
            yield f"{'no row' if told else 'unaccounted'}: {say}"
        for number, run in enumerate(told):
            is_over = is_once or rows.get(run.run) == "finished"
            others: list[Told | None] = [*told[number + 1 :], *([None] if missed else [])]
            for later in others if is_over else ():
                if self._is_excused(run, later, is_once):
                    self.excused.append(say)
                else:
                    yield f"{'twice' if later else 'run and missed'}: {say}"
        if missed > 1:
            yield f"missed twice: {say}"

    def _is_excused(self, run: Told, later: Told | None, is_once: bool) -> bool:
        """Return whether the fleet could not know of ``run`` when the holding of ``later`` began."""
        if later is not None and later.token <= run.token:
            return False
        claimed = later.token / 1000 if later is not None else run.began
        if any(self._covers(outage, run, claimed) for outage in self._outages):
            return True
        return not is_once and any(
            trouble.host == run.host
            and trouble.began <= run.ended
            and claimed > trouble.began
            and run.ended <= max(trouble.ended, self._over(trouble))
            for trouble in self._troubles
        )

    def _covers(self, outage: Outage, run: Told, claimed: float) -> bool:
        """Return whether the run began in the outage, which the soak has made, and the seat changed hands in it."""
        is_in = outage.host == run.host and outage.began <= run.began <= outage.seen_until and claimed <= outage.over
        return is_in and any(
            trouble.kind == "database"
            and trouble.host == run.host
            and trouble.began <= outage.began
            and outage.began <= trouble.ended + UNNOTICED_S
            for trouble in self._troubles
        )

    def _over(self, trouble: Trouble) -> float:
        """Return when the node could tell again what it could not in a trouble."""
        found = [
            outage.over
            for outage in self._outages
            if outage.host == trouble.host and trouble.began <= outage.began <= trouble.ended + UNNOTICED_S
        ]
        return max(found, default=trouble.ended)


def _read_told(fleet: Fleet) -> dict[Key, list[Told]]:
    """Return by moment the runs for it, in the order of their begins."""
    path = fleet.witnesses.folder.parent / DUES
    begun: dict[str, tuple[Key, Told]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        word, seat, moment, run, token, host, at = line.split()
        key = seat, int(moment)
        if word == "begin":
            begun[run] = key, Told(run, int(token), host, float(at), FOREVER)
        else:
            begun[run] = key, begun[run][1]._replace(ended=float(at))
    found = defaultdict(list)
    for key, told in sorted(begun.values(), key=lambda entry: entry[1].began):
        found[key].append(told)
    return found


def _read_rows(fleet: Fleet) -> tuple[dict[Key, dict[str, str]], Counter[Key], list[str]]:
    """Return by moment the outcome of each run, how many rows say that it was missed, and those without a reason."""
    rows: dict[Key, dict[str, str]] = defaultdict(dict)
    missed, unexplained = Counter[Key](), []
    columns = ("id", "job_name", "index", "due", "outcome", "missed", "reason")
    for run, name, index, due, outcome, count, reason in fleet.project.runs.exclude(due=None).values_list(*columns):
        seat, first = f"{name}:{index}", round(due.timestamp())
        if outcome != "missed":
            rows[seat, first][str(run)] = outcome
            continue
        missed.update((seat, first + EVERY_S * number) for number in range(count or 1))
        if not reason:
            unexplained.append(f"missed without a reason: {seat} at {first}")
    return rows, missed, unexplained


def _outages(fleet: Fleet) -> Iterator[Outage]:
    for node in fleet.nodes:
        for log in node.logs:
            events: list[dict[str, Any]] = [event for event in log.events() if "timestamp" in event]
            began = None
            for event in events:
                if event["event"] == "ledger.lost":
                    began = _wall(event)
                elif event["event"] == "ledger.recovered" and began is not None:
                    yield Outage(node.host, began, _wall(event), _wall(event))
                    began = None
            if began is not None:
                yield Outage(node.host, began, _wall(events[-1]), FOREVER)


def _wall(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["timestamp"]).timestamp()

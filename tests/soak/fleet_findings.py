"""What the fleet's soak has found: in the witnesses' lines, in the nodes' logs, in the history of due moments."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.fleet.fleet import Fleet
from tests.fleet.witnesses import Span, overlapping

from .fleet_dues import Dues
from .fleet_faults import Faults

LATE_LINES_S, AFTER_THAW_S = 0.1, 1.0
"""After a thaw a process may write so long before it is killed: nobody can kill what stands still."""
WRITTEN_WITHIN_S = 45.0
"""The last due moments' runs have ended, and the database has every record, after so long."""
MOST_SHOWN = 30
NEVER_SAID = ("seats.failed", "protocol.violated", "daemon.failed", "seat.kept", "records.lost")


def judge_dues(fleet: Fleet, faults: Faults, first: float) -> tuple[dict[str, Any], list[str]]:
    """Wait until all that was due by now has its end in the database; return figures and complaints."""
    last, began = time.time(), time.monotonic()
    while True:
        dues = Dues(fleet, faults.troubles, first, last)
        complaints = list(dues.complaints())
        if not complaints or time.monotonic() - began > WRITTEN_WITHIN_S + fleet.lateness.since(began):
            return {**dues.figures, "twice_by_an_outage": dues.excused}, complaints[:MOST_SHOWN]
        time.sleep(1.0)


def judge_seats(fleet: Fleet, faults: Faults) -> tuple[dict[str, Any], list[str]]:
    """Return figures and complaints on who held which seat."""
    spans = fleet.witnesses.spans()
    is_late = partial(_is_late, thaws=faults.thaws, fleet=fleet)
    complaints, late, tokens = [], 0, dict[tuple[str, int], set[str]]()
    for seat, one, other in overlapping(spans):
        if any(is_late(span) for span in (one, other)):
            late += 1
        else:
            complaints.append(f"two at once: {seat}: {one} and {other}")
    for span in spans:
        tokens.setdefault((span.seat, span.token), set()).add(span.node)
    complaints += [f"one token on two nodes: {key} {nodes}" for key, nodes in tokens.items() if len(nodes) > 1]
    complaints += [f"its tokens do not rise: {seat}" for seat in _falling(spans, is_late)]
    events = Counter(event["event"] for node in fleet.nodes for log in node.logs for event in log.events())
    complaints += [f"{name} was said {events[name]} times" for name in NEVER_SAID if events[name]]
    figures = {
        "processes": len({span.pid for span in spans}),
        "holdings": len(tokens),
        "moves": sum(fleet.seats.values_list("moves", flat=True)),
        "killed_by_ledgers": events["seat.ended_by_ledger"],
        "lines_after_a_thaw": late,
    }
    return figures, complaints[:MOST_SHOWN]


def _is_late(span: Span, thaws: list[tuple[str, float]], fleet: Fleet) -> bool:
    """Return whether these are the last lines of a process that stood still, before anybody had a turn to kill it."""
    at = next((at for host, at in thaws if host == span.node and 0 <= span.began - at < AFTER_THAW_S), None)
    if at is None:
        return False
    return span.ended - span.began < LATE_LINES_S + fleet.overslept(at, span.ended)


def _falling(spans: list[Span], is_late: Callable[[Span], bool]) -> list[str]:
    """Return the seats of which a process wrote after one with a larger token had begun to."""
    newest: dict[str, int] = {}
    found = set()
    for span in spans:
        if span.token < newest.get(span.seat, 0) and not is_late(span):
            found.add(span.seat)
        newest[span.seat] = max(newest.get(span.seat, 0), span.token)
    return sorted(found)

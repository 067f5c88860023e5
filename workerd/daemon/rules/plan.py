"""The consequences of an edited row for its slots: pure, from the spec before and the spec now."""

from typing import NamedTuple

from workerd.wire.spec import JobSpec, is_rescheduled, is_restarting


class Plan(NamedTuple):
    """The slots of one job to add, edit and end; ``restarting`` where a running child cannot take the edit over."""

    added: tuple[int, ...] = ()
    edited: tuple[int, ...] = ()
    doomed: tuple[int, ...] = ()
    restarting: bool = False
    rescheduled: bool = False


def plan(was: JobSpec | None, now: JobSpec | None) -> Plan:
    """Return what changes; None is a row that is not there."""
    before = range(was.processes) if was is not None else range(0)
    after = range(now.processes) if now is not None else range(0)
    changed = was is not None and now is not None and was != now
    return Plan(
        added=tuple(index for index in after if index not in before),
        edited=tuple(index for index in after if index in before) if changed else (),
        doomed=tuple(index for index in before if index not in after),
        restarting=was is not None and now is not None and is_restarting(was, now),
        rescheduled=was is not None and now is not None and is_rescheduled(was, now),
    )

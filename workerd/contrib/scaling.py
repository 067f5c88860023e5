"""A job that sets the processes of another row by how many tasks wait."""

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError

from workerd.child.context import JobContext
from workerd.conf import get_settings
from workerd.models import Job, Operation
from workerd.models.operation import database_now
from workerd.registry import job as mark_job

from .depths import counter_of
from .scaling_rule import Depth, Limits, next_step

VERB = "scale"
KEPT = 500
"""Of one row's changes the audit trail keeps so many; the log has all."""


class Scaler:
    """One row's scaler: it changes the processes of that row alone."""

    def __init__(self, context: JobContext, name: str, count: Callable[[], Depth], limits: Limits) -> None:
        self._context = context
        self._name = name
        self._count = count
        self._limits = limits
        self._alias = get_settings().database
        self._calm_since: float | None = None
        self._held = ""
        self._has_warned = False

    def turn(self, now: float) -> None:
        """Count, and change the row where that follows; hold it as it is where something fails."""
        try:
            depth = self._count()
        except Exception as error:  # noqa: BLE001 - whatever an engine, its broker or a project's own code raises
            return self._hold(type(error).__name__, str(error))
        try:
            self._apply(depth, now)
        except DatabaseError as error:
            self._hold(type(error).__name__, str(error))

    def _apply(self, depth: Depth, now: float) -> None:
        row = Job.objects.using(self._alias).filter(name=self._name).first()
        if row is None or not row.enabled:
            return self._hold("there is no such row" if row is None else "the row is switched off")
        if self._held:
            self._held = ""
            self._context.log.info("scaling.resumed", scaled=self._name)
        self._warn_of_code(row)
        step = next_step(self._limits, depth, row.processes, now, self._calm_since)
        self._context.beat(f"{self._name}: {depth}, processes {step.processes}")
        if step.processes != row.processes and not self._change(row, step.processes, depth):
            return None  # somebody has edited the row since: the next turn sees
        self._calm_since = step.calm_since
        return None

    def _change(self, row: Job, processes: int, depth: Depth) -> bool:
        """Return whether the row was still as it was read, and now has ``processes``."""
        words = f"processes {row.processes} → {processes}: {depth}"
        with self._context.fenced():
            rows = Job.objects.using(self._alias).filter(pk=row.pk, processes=row.processes, enabled=True)
            if not rows.update(processes=processes):
                return False
            self._record(row, words)
        self._context.log.info(
            "scaling.changed",
            scaled=row.name,
            before=row.processes,
            processes=processes,
            waiting=depth.waiting,
            in_hand=depth.in_hand,
        )
        return True

    def _record(self, row: Job, words: str) -> None:
        """Add a line to the audit trail, which nobody carries out: it has its result already."""
        now = database_now()
        times: dict[str, Any] = {"requested": now, "expires": now, "taken": now}
        who = f"{self._context.job_name} (workerd.contrib.scaling)"
        line = Operation(verb=VERB, job=row, job_name=row.name, requested_by=who, **times)
        line.result = line.public_result = words
        line.ok = True
        line.save(using=self._alias, force_insert=True)
        lines = Operation.objects.using(self._alias).filter(verb=VERB, job_id=row.pk)
        lines.filter(pk__in=list(lines.values_list("pk", flat=True)[KEPT:])).delete()

    def _hold(self, why: str, words: str = "") -> None:
        """Leave the row as it is; say so once for as long as the reason is the same.

        The words of an error stand in the log alone: whoever may see jobs sees the note.
        """
        self._calm_since = None
        self._context.beat(f"{self._name}: held, {why}")
        why = f"{why}: {words}" if words else why
        if why != self._held:
            self._context.log.warning("scaling.held", scaled=self._name, reason=why)
        self._held = why

    def _warn_of_code(self, row: Job) -> None:
        if not self._has_warned and "processes" in (row.synced or {}):
            reason = "the code says its processes, too, so that sync finds a drift: leave them out there"
            self._context.log.warning("scaling.disputed", scaled=self._name, reason=reason)
            self._has_warned = True


@mark_job
def scale(
    context: JobContext,
    *,
    job: str,
    depth: str,
    most: int,
    least: int = 1,
    per_process: int = 10,
    calm: float = 60.0,
    every: float = 5.0,
) -> None:
    """Set the processes of the row ``job`` by how many tasks wait in ``depth``: up at once, down one by one."""
    if job == context.job_name:
        raise ValueError("a scaler cannot scale itself")
    if not every >= 1:
        raise ValueError(f"every is {every}: let it be 1 or more seconds")
    scaler = Scaler(context, job, counter_of(depth), Limits(least, most, per_process, calm))
    context.ready()
    for turn in context.every(every):
        scaler.turn(turn * every)  # only what was looked at counts as calm

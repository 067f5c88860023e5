"""The report of a sync: a line for each job that is not in step, and below it one for each field."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .effects import describe_effect
from .plan import Deed, JobPlan
from .rows import Running
from .rules import OPEN, Gone, Kind, Verdict
from .words import shown, shown_change

_GONE = {
    Gone.NOTED: "gone from the code; it is off already",
    Gone.SWITCHED_OFF: "gone from the code; switched off, “--prune” deletes it",
    Gone.DELETED: "gone from the code; deleted",
    Gone.HANDED_OVER: "gone from the code; it is the admin's from now on",
    Gone.DRIFT: (
        "drift: gone from the code, and switched on again in the admin; kept. "
        "“--take {name}” switches it off, “--give {name}” leaves it to the admin"
    ),
}


@dataclass(frozen=True, slots=True)
class Report:
    """The plans of one sync, what ran at that time, and when that was, in seconds since 1970."""

    source: str
    plans: Sequence[JobPlan]
    running: Running
    now: float
    is_dry_run: bool = False

    @property
    def is_open(self) -> bool:
        """Whether somebody has to decide something."""
        return any(plan.is_open for plan in self.plans)

    @property
    def is_behind(self) -> bool:
        """Whether something was left to write."""
        return self.is_dry_run and any(plan.is_written for plan in self.plans)

    def lines(self) -> Iterator[str]:
        """Yield the lines for people."""
        for plan in self.plans:
            yield from self._of_job(plan)
        yield from self._summary()

    def _of_job(self, plan: JobPlan) -> Iterator[str]:
        is_import = not self.source
        fields = [
            line
            for name, verdict in plan.verdicts.items()
            for line in _of_field(plan, name, verdict, is_import=is_import)
        ]
        heading = _heading(plan, is_import=is_import)
        if not heading and not fields:
            return
        effect = self._effect(plan)
        yield f"{plan.name}: {'; '.join(filter(None, (heading, effect)))}"
        yield from (f"  {line}" for line in fields)

    def _effect(self, plan: JobPlan) -> str:
        if not plan.is_written or (plan.before is not None and plan.after is not None and not plan.written):
            return ""
        processes, nodes = self.running.processes.get(plan.name, 0), self.running.nodes
        if not nodes and self.is_dry_run:  # as with a copy of the database: suppose that one daemon runs
            nodes, is_endless = 1, plan.before is not None and plan.before["enabled"] and not plan.before["schedule"]
            processes = plan.before["processes"] if plan.before is not None and is_endless else 0
        return describe_effect(plan.before, plan.after, processes, nodes, self.now)

    def _summary(self) -> Iterator[str]:
        written = [plan for plan in self.plans if plan.is_written]
        undecided = sum(plan.is_open for plan in self.plans)
        in_step = sum(not plan.is_written and not plan.is_open for plan in self.plans)
        words = [f"{len(written)} to write" if self.is_dry_run else f"{len(written)} written"] if written else []
        words += [f"{undecided} to decide"] if undecided else []
        words += [f"{in_step} in step"] if in_step or not words else []
        yield f"Jobs: {', '.join(words)}."
        if left := sum(plan.gone is Gone.OFF for plan in self.plans):
            verb = "is" if left == 1 else "are"
            yield f"{left} of them {verb} off and gone from the code; “--prune” deletes such rows."
        if written and self.is_dry_run:
            yield "Nothing was written (--dry-run)."
        elif written and not self.running.nodes:
            yield "No daemon reports now. The next one to start follows these rows."


def _heading(plan: JobPlan, *, is_import: bool) -> str:
    if plan.gone is not None:
        return _GONE[plan.gone].format(name=plan.name) if plan.gone in _GONE else ""
    if plan.deed is Deed.NEW:
        return "new" if plan.after is None or plan.after["enabled"] else "new, and off"
    if plan.deed is Deed.ADMINS:
        return f"conflict: the admin has a row of this name; “--adopt {plan.name}” has the code look after it"
    if plan.deed is Deed.FOREIGN:
        remedy = (
            "edit it there"
            if is_import
            else f"rename one of the two jobs, or, if that was this service's name, “--adopt {plan.name}” takes it over"
        )
        return f"conflict: the row comes from the definitions of “{plan.source}”; {remedy}"
    return _heading_of_known({verdict.kind for verdict in plan.verdicts.values()}, is_taken_over=plan.is_taken_over)


def _heading_of_known(kinds: set[Kind], *, is_taken_over: bool) -> str:
    words = ["taken over by the code"] if is_taken_over else []
    words += ["changed"] if Kind.WRITTEN in kinds else []
    words += ["accepted"] if Kind.GIVEN in kinds else []
    words += [kind.value for kind in (Kind.CONFLICT, Kind.DRIFT) if kind in kinds]
    return ", ".join(words) or ("noted" if Kind.NOTED in kinds else "")


def _of_field(plan: JobPlan, name: str, verdict: Verdict, *, is_import: bool) -> Iterator[str]:
    assert plan.before is not None
    row = shown(name, plan.before[name])
    if verdict.kind is Kind.WRITTEN:
        unsaid = "" if verdict.is_said else ", the default, as the code no longer says it"
        yield f"{name}: {shown_change(name, plan.before[name], verdict.wanted)}{unsaid}"
    elif verdict.kind is Kind.GIVEN:
        yield f"{name}: the row's {row} is accepted; {_said(name, verdict)}"
    elif verdict.kind is Kind.NOTED and not plan.is_taken_over and not is_import:
        words = "the row already has" if verdict.is_said else "the code no longer says it, and the row keeps"
        yield f"{name}: {words} {row}"
    elif verdict.kind in OPEN:
        choose = f"“--take {plan.name}.{name}” writes that"
        if not is_import:
            choose += f", “--give {plan.name}.{name}” accepts the row's"
        both = "both have changed: " if verdict.kind is Kind.CONFLICT and not is_import else ""
        said = f"the file says {shown(name, verdict.wanted)}" if is_import else _said(name, verdict)
        yield f"{name}: {both}the row has {row}, {said}; {choose}"


def _said(name: str, verdict: Verdict) -> str:
    words = "the code says" if verdict.is_said else "the code no longer says it, and the default is"
    return f"{words} {shown(name, verdict.wanted)}"

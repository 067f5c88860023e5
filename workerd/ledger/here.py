"""Judges whether this node may run a sound row: by the labels that it asks for, and by what a SQLite file can serve."""

from collections.abc import Iterable, Mapping

from django.db import connections

from workerd.fleet.one_host import why_no_fleet
from workerd.job_rules.where import parse_where
from workerd.wire.spec import JobSpec


class Here:
    """This node, as its rows see it."""

    def __init__(self, alias: str, host: str = "", labels: Mapping[str, str] | None = None) -> None:
        self._alias = alias
        self._host = host
        self._labels = labels or {}
        self._obstacle = ""

    def look(self, specs: Iterable[JobSpec]) -> bool:
        """Look whether jobs of the fleet can run; return whether the answer is another one now.

        Raises the database's errors.
        """
        was = self._obstacle
        if connections[self._alias].vendor == "sqlite":
            is_asked = any(spec.is_fleet for spec in specs)
            self._obstacle = why_no_fleet(self._alias, self._host) if is_asked else ""
        return self._obstacle != was

    def refusal(self, spec: JobSpec) -> str:
        """Return why no node of this database can run the job; "" where one can."""
        return self._obstacle if spec.is_fleet else ""

    def misfit(self, spec: JobSpec) -> str:
        """Return why this node does not run a job of each node, as words that follow “this node”; "" where it does.

        A seat of the fleet is claimed by nodes that fit alone.
        """
        return "" if spec.is_fleet else parse_where(spec.where).misfit(self._labels)

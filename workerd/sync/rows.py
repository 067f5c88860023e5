"""Job rows as plain values, and how many of their processes run now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db.models import Count

from workerd.job_rules.written import DEFAULTS
from workerd.models import Job, Node, Slot
from workerd.models.clock import DatabaseNow
from workerd.models.node import LATE
from workerd.wire.spec import with_defaults
from workerd.wire.words import ALIVE

from .plan import GIVEN_KEY, Row


def row_of(job: Job) -> Row:
    """Return the row as it means itself: a default stands where an earlier release has left a column null."""
    values = with_defaults({name: getattr(job, name) for name in DEFAULTS})
    synced = dict(job.synced or {})
    if not isinstance(synced.get(GIVEN_KEY, {}), Mapping):
        del synced[GIVEN_KEY]  # another program has written it
    return Row(job.name, job.source or "", values, synced)


@dataclass(frozen=True, slots=True)
class Running:
    """The daemons that report, and the processes of each job under them, in numbers."""

    nodes: int
    processes: Mapping[str, int] = field(default_factory=dict)


def read_running(names: Iterable[str], alias: str) -> Running:
    """Return what runs now of the jobs of these names."""
    fresh = DatabaseNow() - LATE
    nodes = Node.objects.using(alias).filter(pulse__gte=fresh).count()
    slots = Slot.objects.using(alias).filter(node__pulse__gte=fresh, state__in=[state.value for state in ALIVE])
    counted = slots.order_by().values_list("job_name").annotate(count=Count("pk"))
    wanted = set(names)
    return Running(nodes, {name: count for name, count in counted if name in wanted})

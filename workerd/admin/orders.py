"""Orders to the daemons: each is a row of ``Operation``, which a ledger takes and answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from workerd.models import Job, Node, Operation
from workerd.models.clock import read_now
from workerd.models.operation import LIFETIME

from .order_nodes import nodes_for

AT_ONCE = 100
"""The rows that go into one statement: an order for many jobs may be for hundreds of nodes."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing an operator may ask for: its button with a tooltip, and its action in the list."""

    name: str
    label: object
    action: object
    tooltip: object


VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "start", _lazy("Start"), _lazy("Start selected jobs"), _lazy("Starts what is stopped, parked or delayed.")
        ),
        Verb("stop", _lazy("Stop"), _lazy("Stop selected jobs"), _lazy("Stops it until Start, or the daemon's end.")),
        Verb(
            "restart", _lazy("Restart"), _lazy("Restart selected jobs"), _lazy("Stops it gracefully, then starts it.")
        ),
        Verb("resume", _lazy("Resume"), _lazy("Resume selected jobs"), _lazy("Starts what is parked.")),
        Verb(
            "dump", _lazy("Dump stacks"), _lazy("Dump stacks of selected jobs"), _lazy("Shows what every thread does.")
        ),
        Verb(
            "trigger",
            _lazy("Run now"),
            _lazy("Run selected jobs now"),
            _lazy("Runs it once more, now; its schedule stays as it is."),
        ),
    )
}


def verbs_for(job: Job) -> list[Verb]:
    """Return what may be asked for the job: only what has a schedule is run now."""
    return [verb for verb in VERBS.values() if verb.name != "trigger" or job.schedule]


def send_orders(request: HttpRequest, verb: str, jobs: Sequence[Job], alias: str, slot: str = "") -> None:
    """Write an order for each job and each node that has it, and tell the user so.

    The caller has checked that the user may give it.
    """
    if refused := {job.name: reason for job in jobs if (reason := _refuse(verb, job))}:
        for name, reason in refused.items():
            messages.error(request, f"{VERBS[verb].label}: {name}: {reason}")
        jobs = [job for job in jobs if job.name not in refused]
    if not jobs:
        return
    nodes = nodes_for(verb, jobs, alias, slot)
    orders = [
        Operation(verb=verb, job=job, job_name=job.name, slot=slot, node=node) for job in jobs for node in nodes[job.pk]
    ]
    write_orders(request, orders, alias)
    names = Truncator(", ".join(slot or job.name for job in jobs)).chars(200)
    words = ngettext(
        "%(verb)s was asked for: %(names)s.", "%(verb)s was asked for %(count)s jobs: %(names)s.", len(jobs)
    )
    messages.info(request, words % {"verb": VERBS[verb].label, "count": len(jobs), "names": names})


def send_to_node(request: HttpRequest, verb: Verb, node: Node, alias: str) -> None:
    """Write an order for one node, and tell the user so. The caller has checked that the user may give it."""
    write_orders(request, [Operation(verb=verb.name, node=node)], alias)
    messages.info(request, _("%(verb)s was asked for: %(names)s.") % {"verb": verb.label, "names": node})


def write_orders(request: HttpRequest, orders: Sequence[Operation], alias: str) -> None:
    """Write orders as one act: they have their time, and who asks, in common."""
    now = read_now(alias)  # the web server's clock may be off
    for order in orders:
        order.requested_by = request.user.get_username()
        order.requested, order.expires = now, now + LIFETIME
    *others, last = orders
    with transaction.atomic(using=alias):
        Operation.objects.using(alias).bulk_create(others, batch_size=AT_ONCE)
        last.save(using=alias, force_insert=True)  # not in bulk: a save wakes the ledgers, at the commit


def _refuse(verb: str, job: Job) -> str:
    """Return why the daemon would refuse the order, as far as the row tells."""
    if verb != "trigger":
        return ""
    if not job.schedule:
        return _("it has no schedule, so that it runs always.")
    return "" if job.enabled else _("it is off: turn it on first.")

"""Orders to the daemons: each is a row of ``Operation``, which a ledger takes and answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from workerd.models import Job, Operation
from workerd.models.clock import read_now
from workerd.models.operation import LIFETIME

from . import permissions
from .ages import Ages
from .badges import badge
from .snapshot import Nodes
from .words import result_of


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
    )
}


def send_orders(request: HttpRequest, verb: str, jobs: Sequence[Job], alias: str, slot: str = "") -> None:
    """Write an order for each job, and tell the user so. The caller has checked that the user may give it."""
    now = read_now(alias)  # the web server's clock may be off
    rows = [
        Operation(
            verb=verb,
            job=job,
            job_name=job.name,
            slot=slot,
            requested_by=request.user.get_username(),
            requested=now,
            expires=now + LIFETIME,
        )
        for job in jobs
    ]
    with transaction.atomic(using=alias):
        for row in rows:
            row.save(using=alias, force_insert=True)  # not in bulk: a save wakes the ledger
    names = Truncator(", ".join(slot or job.name for job in jobs)).chars(200)
    words = ngettext(
        "%(verb)s was asked for: %(names)s.", "%(verb)s was asked for %(count)s jobs: %(names)s.", len(jobs)
    )
    messages.info(request, words % {"verb": VERBS[verb].label, "count": len(jobs), "names": names})


def orders_list(orders: Iterable[Operation], nodes: Nodes, ages: Ages, request: HttpRequest) -> SafeString:
    """Return the latest orders and what became of each."""
    items = (_order_parts(order, nodes, ages, request) for order in orders)
    lines = format_html_join("", "<li>{} <b>{}</b> {} · {}{}</li>", items)
    return format_html('<ul class="workerd-orders">{}</ul>', lines) if lines else lines


def result_for(request: HttpRequest, order: Operation) -> str:
    """Return the order's result: stacks, and the words of a job, only to a user who may view output."""
    return result_of(order, may_view_output=permissions.may_view_output(request))


def scope_of(order: Operation) -> str:
    """Return the slot or the job that the order is for, or "every job"."""
    return order.slot or order.job_name or _("every job")


def order_badge(order: Operation, now: datetime, nodes: Nodes | None = None) -> SafeString:
    """Return whether a daemon has taken the order, or still may."""
    if order.taken is not None:
        return badge("done", _("taken"))
    if order.expires <= now:
        return badge("bad", _("expired"))
    if nodes is not None and not nodes.live:
        return badge("wait", _("no daemon to take it"))
    return badge("busy", _("waiting"))


def _order_parts(order: Operation, nodes: Nodes, ages: Ages, request: HttpRequest) -> tuple[object, ...]:
    asked = format_html(_("asked {} ago by {}"), ages.since(order.requested), order.requested_by or "-")
    return (
        order_badge(order, nodes.now, nodes),
        order.get_verb_display(),
        scope_of(order),
        asked,
        _first_line(order, request),
    )


def _first_line(order: Operation, request: HttpRequest) -> str:
    """Return the result's first line, with a link to the whole where there is more and the user may read it."""
    result = result_for(request, order)
    if not result:
        return ""
    first, newline, _rest = result.partition("\n")
    if not newline or not permissions.may_view_operations(request):
        return format_html(": {}", Truncator(first).chars(200))
    url = reverse("admin:workerd_operation_change", args=[order.pk], current_app=getattr(request, "current_app", None))
    return format_html(': {} <a href="{}">{}</a>', Truncator(first).chars(200), url, _("all of it"))

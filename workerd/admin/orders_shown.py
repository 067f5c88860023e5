"""Orders as pages show them: whether a daemon has taken each, and what became of it on which node."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from workerd.models import Node, Operation

from . import permissions
from .ages import Ages
from .badges import badge
from .drains import DRAINING
from .fleet_orders import RELOAD
from .snapshot import Nodes
from .words import result_of

MOST_SHOWN = 5


def orders_list(orders: Iterable[Operation], nodes: Nodes, ages: Ages, request: HttpRequest) -> SafeString:
    """Return the latest orders and what became of each; one that several nodes were given is one, with each result."""
    named = {node.pk: node for node in nodes.nodes}
    items = [_order_parts(act, named, nodes, ages, request) for act in acts_of(orders)[:MOST_SHOWN]]
    lines = format_html_join("", "<li>{} <b>{}</b> {} · {}{}</li>", items)
    return format_html('<ul class="workerd-orders">{}</ul>', lines) if lines else lines


def acts_of(orders: Iterable[Operation]) -> list[list[Operation]]:
    """Return the orders, newest first, those together that were given to several nodes as one act."""
    ordered = sorted(orders, key=lambda order: (order.requested, _act(order)), reverse=True)
    return [list(act) for _key, act in groupby(ordered, key=lambda order: (order.requested, _act(order)))]


def _act(order: Operation) -> tuple[str, ...]:
    is_shared = order.job_name or order.verb == RELOAD
    return (order.verb, order.job_name, order.slot, order.requested_by, "" if is_shared else str(order.pk))


def result_for(request: HttpRequest, order: Operation) -> str:
    """Return the order's result: stacks, and the words of a job, only to a user who may view output."""
    return result_of(order, may_view_output=permissions.may_view_output(request))


def scope_of(order: Operation) -> str:
    """Return the slot or the job that the order is for, or "every job"."""
    if order.verb in DRAINING:
        return _("its seats")
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


def _order_parts(
    act: Sequence[Operation], named: dict[int, Node], nodes: Nodes, ages: Ages, request: HttpRequest
) -> tuple[object, ...]:
    first = act[0]
    asked = format_html(_("asked {} ago by {}"), ages.since(first.requested), first.requested_by or "-")
    heading = (first.get_verb_display(), scope_of(first), asked)
    if len(act) == 1 and order_is_for_node(first):
        heading = (first.get_verb_display(), _node_of(first, named), asked)
    if len(act) == 1:
        return (order_badge(first, nodes.now, nodes), *heading, _first_line(first, request))
    by_node = sorted(((_node_of(order, named), order) for order in act), key=lambda pair: pair[0])
    results = ((order_badge(order, nodes.now, nodes), node, _first_line(order, request)) for node, order in by_node)
    lines = format_html_join("", "<li>{} {}{}</li>", results)
    done = sum(bool(order.result) for order in act)
    words = _("%(done)s of %(count)s nodes have answered") % {"done": done, "count": len(act)}
    return (badge("done" if done == len(act) else "busy", words), *heading, format_html("<ul>{}</ul>", lines))


def order_is_for_node(order: Operation) -> bool:
    """Return whether the order is for one node as a whole, and not for a job."""
    return order.verb in DRAINING and order.node_id is not None


def _node_of(order: Operation, named: dict[int, Node]) -> str:
    if order.node_id is None:
        return _("the node that takes it first")
    return str(named.get(order.node_id) or _("a node that is gone"))


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

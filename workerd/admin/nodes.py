"""Nodes, as their ledgers report them: their list, with orders for all, and the page of each, with what it has."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from workerd.fleet.holders import count_held, names_held
from workerd.fleet.nodes import is_silent, label_words
from workerd.models import Node
from workerd.models.clock import DatabaseNow

from . import permissions
from .ages import Ages
from .badges import badge
from .base import ReadOnlyAdmin
from .drains import DRAINING
from .fleet_orders import FOR_FLEET, send_to_fleet
from .orders import send_to_node
from .words import halt_of


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin[Node]):
    """Shows which daemons there are, and when each last reported."""

    list_display = ("__str__", "reports", "shown_labels", "seats", "workerd_version", "generation", "started")
    search_fields = ("name", "host")
    fields = (
        *("name", "host", "reports", "shown_labels", "shown_seats"),
        *("daemon_pid", "workerd_version", "generation", "shown_halt", "started", "pulse"),
    )
    readonly_fields = ("reports", "shown_labels", "shown_seats", "shown_halt")
    change_form_template = "admin/workerd/node/change_form.html"
    change_list_template = "admin/workerd/node/change_list.html"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.orders_view)
        for_fleet = self.admin_site.admin_view(self.fleet_view)
        return [
            path("fleet/", for_fleet, name="workerd_node_fleet"),
            path("<int:pk>/orders/", view, name="workerd_node_orders"),
            *super().get_urls(),
        ]

    def fleet_view(self, request: HttpRequest) -> HttpResponse:
        """Take an order for all nodes."""
        if not (self.has_view_permission(request) and permissions.may_operate(request)):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        verb = request.POST.get("order", "")
        if verb not in FOR_FLEET:
            return HttpResponseBadRequest()
        send_to_fleet(request, verb, self.alias)
        return redirect(reverse(f"{self.admin_site.name}:workerd_node_changelist"))

    def orders_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take an order to drain the node, or to have it take seats again."""
        if not (self.has_view_permission(request) and permissions.may_operate(request)):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        node, verb = self.get_row_or_404(request, pk), DRAINING.get(request.POST.get("order", ""))
        if verb is None:
            return HttpResponseBadRequest()
        send_to_node(request, verb, node, self.alias)
        return redirect(reverse(f"{self.admin_site.name}:workerd_node_change", args=[pk]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the node with the buttons that drain it, for a user who may operate."""
        verbs = DRAINING.values() if permissions.may_operate(request) else ()
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "verbs": verbs})

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the nodes with the buttons for all of them, for a user who may operate."""
        verbs = FOR_FLEET.values() if permissions.may_operate(request) else ()
        return super().changelist_view(request, {**(extra_context or {}), "verbs": verbs})

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes: Any = super().get_changelist_instance(request)
        changes.result_list = list(changes.result_list)
        held = count_held(self.alias)
        for node in changes.result_list:
            node.held = held[node.pk]
        return changes

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        """Return the nodes with the database's time, by whose clock their pulse is written."""
        return super().get_queryset(request).annotate(read_at=DatabaseNow())

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Node | None:
        """Return the node with what this user may read of its halt; a field's method is not told who asks."""
        node: Any = super().get_object(request, object_id, from_field)
        if node is not None:
            node.readable_halt = halt_of(node, may_view_output=permissions.may_view_output(request))
            node.seat_names = names_held(node, self.alias)
        return node  # type: ignore[no-any-return]  # with an attribute for shown_halt

    @admin.display(description=_lazy("halted reload"), empty_value="-")
    def shown_halt(self, node: Any) -> str:
        return str(node.readable_halt)

    @admin.display(description=_lazy("labels"), empty_value="-")
    def shown_labels(self, node: Node) -> str:
        return label_words(node)

    @admin.display(description=_lazy("seats held"))
    def seats(self, node: Any) -> str:
        return str(node.held)

    @admin.display(description=_lazy("seats held"), empty_value="-")
    def shown_seats(self, node: Any) -> str:
        return ", ".join(node.seat_names)

    @admin.display(description=_lazy("reports"), ordering="pulse")
    def reports(self, node: Any) -> SafeString:
        if node.pulse is None:
            return badge("rest", _("never"))
        age = Ages(node.read_at).since(node.pulse)
        if not is_silent(node, node.read_at):
            tone, word = ("hold", _("draining")) if node.draining else ("good", _("reporting"))
            return format_html(_("{} {} ago"), badge(tone, word), age)
        return format_html(_("{} for {}"), badge("warn", _("silent")), age)

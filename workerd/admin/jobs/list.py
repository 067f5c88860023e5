"""The jobs list: every job's live state, kept fresh, and orders for the selected jobs."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from workerd.admin import permissions
from workerd.admin.ages import Ages
from workerd.admin.base import WorkerdAdmin
from workerd.admin.cells import LIVE_CELLS, live_cell
from workerd.admin.live import answer, script_settings
from workerd.admin.nodes_notice import nodes_notice
from workerd.admin.orders import VERBS, send_orders
from workerd.admin.orders_shown import orders_list
from workerd.admin.reloads import halts_notice
from workerd.admin.snapshot import Snapshot, is_open, read_snapshot
from workerd.command_secrets import masked_command
from workerd.conf import get_settings
from workerd.models import Job, Operation

from .filters import StateFilter
from .origin import origin_badge
from .switch import switch_cell

if TYPE_CHECKING:
    Action = Callable[["JobListAdmin", HttpRequest, QuerySet[Job]], None]


class LiveChangeList(ChangeList):
    """A page of jobs with their snapshot."""

    snapshot: Snapshot

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        jobs = self.result_list = list(self.result_list)
        self.snapshot = read_snapshot(
            jobs, get_settings().database, may_view_output=permissions.may_view_output(request)
        )
        ages = Ages(self.snapshot.nodes.now)
        for job in jobs:  # a column's method is given nothing but its row
            job.snapshot, job.ages = self.snapshot.of_job[job.pk], ages

    @property
    def orders(self) -> list[Operation]:
        """The latest orders for jobs of this page and for nodes."""
        orders = [order for job in self.snapshot.of_job.values() for order in job.orders]
        return [*orders, *self.snapshot.for_nodes]

    @property
    def is_moving(self) -> bool:
        of_job, for_nodes, now = self.snapshot.of_job, self.snapshot.for_nodes, self.snapshot.nodes.now
        return any(job.is_moving for job in of_job.values()) or any(is_open(order, now) for order in for_nodes)


def _column(name: str, description: Any) -> Callable[["JobListAdmin", Any], SafeString]:
    @admin.display(description=description)
    def column(_self: "JobListAdmin", job: Any) -> SafeString:
        return live_cell(f"{job.pk}:{name}", LIVE_CELLS[name](job.snapshot, job.ages))

    return column


def _action(verb: str) -> "Action":
    @admin.action(description=str(VERBS[verb].action), permissions=["operate"])
    def act(self: "JobListAdmin", request: HttpRequest, queryset: QuerySet[Job]) -> None:
        send_orders(request, verb, list(queryset), self.alias)

    act.__name__ = verb
    return act


class JobListAdmin(WorkerdAdmin[Job]):
    """The list page and its refresh."""

    list_display = ("job", "state", "activity", "restarts", "memory", "switch")
    list_display_links = None
    list_filter = (StateFilter, "enabled", "significant")
    list_per_page = 100
    list_max_show_all = 1000
    search_fields = ("name", "target", "^command", "labels", "notes")
    show_full_result_count = False
    actions = tuple(_action(verb) for verb in VERBS)
    actions_selection_counter = True

    state = _column("state", _("state"))
    activity = _column("activity", _("activity"))
    restarts = _column("restarts", _("restarts, 1 h"))
    memory = _column("memory", _("memory"))

    class Media:
        css = {"all": ("workerd/workerd.css",)}
        js = (Script("workerd/live.js", defer=True),)

    @admin.display(description=_("job"), ordering="name")
    def job(self, job: Any) -> SafeString:
        """Return the name as a link to the job's page, whether it comes from code, and below that what the job runs."""
        program = job.target or masked_command(job.command)
        return format_html(
            '<div class="workerd-line"><a href="{}/page/">{}</a>{}</div>'
            '<div class="workerd-sub"><span class="workerd-clip" title="{}">{}</span></div>',
            job.pk,  # an address relative to the list's: reverse() a thousand times would double the time of a refresh
            job.name,
            origin_badge(job),
            program,
            program,
        )

    @admin.display(description=_("enabled"), ordering="enabled")
    def switch(self, job: Any) -> SafeString:
        return live_cell(f"{job.pk}:switch", switch_cell(job, may_change=job.may_change))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """Find commands by their names alone: quotes keep words together, by which arguments could be guessed."""
        return super().get_search_results(request, queryset, re.sub("[\"']", " ", search_term))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LiveChangeList

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes: Any = super().get_changelist_instance(request)
        may_change = self.has_change_permission(request)
        for job in changes.result_list:
            job.may_change = may_change
        return changes

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether the orders stand among the user's actions; Django asks this for permissions=["operate"]."""
        return permissions.may_operate(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Refuse an order that the user may not give; show above the list which daemons report and the last orders."""
        if request.method == "POST" and request.POST.get("action") in VERBS and not permissions.may_operate(request):
            raise PermissionDenied
        response = super().changelist_view(request, {"title": _("Jobs"), **(extra_context or {})})
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data |= self._live_context(request, response.context_data["cl"])
        return response

    def live_list_view(self, request: HttpRequest) -> HttpResponse:
        """Answer the script of the list page with the cells of the same page."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        try:
            changes: LiveChangeList = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseBadRequest()
        ages = Ages(changes.snapshot.nodes.now, spelled=False)
        pieces: dict[str, Any] = {}
        for job in changes.result_list:
            pieces |= {f"{job.pk}:{name}": cell(job.snapshot, ages) for name, cell in LIVE_CELLS.items()}
            pieces[f"{job.pk}:switch"] = switch_cell(job, may_change=job.may_change)
        pieces |= self._pieces_above(request, changes, ages)
        return answer(request, pieces, is_moving=changes.is_moving)

    def _live_context(self, request: HttpRequest, changes: LiveChangeList) -> dict[str, Any]:
        url = reverse(f"{self.admin_site.name}:workerd_job_live")
        query = request.GET.urlencode()
        return {
            **self._pieces_above(request, changes, Ages(changes.snapshot.nodes.now)),
            "is_late": not changes.snapshot.nodes.live,
            "workerd_settings": script_settings(f"{url}?{query}" if query else url, is_moving=changes.is_moving),
            "may_add": self.has_add_permission(request),
        }

    def _pieces_above(self, request: HttpRequest, changes: LiveChangeList, ages: Ages) -> dict[str, Any]:
        nodes = changes.snapshot.nodes
        orders = changes.orders if permissions.may_see_orders(request) else []
        return {
            "nodes": nodes_notice(nodes, ages),
            "halts": halts_notice(nodes, request),
            "orders": orders_list(orders, nodes, ages, request),
        }

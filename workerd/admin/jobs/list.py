"""The jobs list: every job's live state, kept fresh, and orders for the selected ones."""

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
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from workerd.admin import permissions
from workerd.admin.ages import Ages
from workerd.admin.base import WorkerdAdmin
from workerd.admin.cells import LIVE_CELLS, live
from workerd.admin.filters import StateFilter
from workerd.admin.live import answer, script_settings
from workerd.admin.markup import RowUrl, markup
from workerd.admin.nodes_notice import nodes_notice
from workerd.admin.orders import VERBS, give, orders_list
from workerd.admin.snapshot import Snapshot, read_snapshot
from workerd.conf import get_settings
from workerd.models import Job, Operation

from .switch import switch

if TYPE_CHECKING:
    Action = Callable[["JobListAdmin", HttpRequest, QuerySet[Job]], None]


class LiveChangeList(ChangeList):
    """A page of jobs with their picture."""

    snapshot: Snapshot

    def get_results(self, request: HttpRequest) -> None:
        """Fetch the page's jobs and their picture together."""
        super().get_results(request)
        jobs = self.result_list = list(self.result_list)
        self.snapshot = read_snapshot(jobs, get_settings().database)
        ages = Ages(self.snapshot.nodes.now)
        for job in jobs:
            job.picture, job.ages = self.snapshot.of_job[job.pk], ages

    @property
    def orders(self) -> list[Operation]:
        """The latest orders for jobs of this page, newest first."""
        orders = [order for picture in self.snapshot.of_job.values() for order in picture.orders]
        return sorted(orders, key=lambda order: (order.requested, order.pk), reverse=True)[:5]

    @property
    def is_moving(self) -> bool:
        """Something on the page is about to change."""
        return any(picture.is_moving for picture in self.snapshot.of_job.values())


def _column(name: str, description: Any) -> Callable[["JobListAdmin", Any], SafeString]:
    @admin.display(description=description)
    def column(_self: "JobListAdmin", job: Any) -> SafeString:
        return live(f"{job.pk}:{name}", LIVE_CELLS[name](job.picture, job.ages))

    return column


def _action(verb: str) -> "Action":
    @admin.action(description=str(VERBS[verb].of_selected), permissions=["operate"])
    def act(self: "JobListAdmin", request: HttpRequest, queryset: QuerySet[Job]) -> None:
        give(request, verb, list(queryset), self.alias)

    act.__name__ = verb
    return act


class JobListAdmin(WorkerdAdmin[Job]):
    """What the list shows and can do."""

    list_display = ("job", "state", "activity", "restarts", "memory", "switch")
    list_display_links = None
    list_filter = (StateFilter, "enabled", "significant")
    list_per_page = 100
    list_max_show_all = 1000
    search_fields = ("name", "target", "command", "notes")
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
        """Return the name, which leads to the job's page, and what it runs."""
        return markup(
            '<div class="workerd-line"><a href="{}">{}</a></div>'
            '<div class="workerd-sub"><span class="workerd-clip" title="{}">{}</span></div>',
            job.page_url,
            job.name,
            job.target or job.command,
            job.target or job.command,
        )

    @admin.display(description=_("enabled"), ordering="enabled")
    def switch(self, job: Any) -> SafeString:
        """Return the switch, or the bare word for one who may not change it."""
        return live(f"{job.pk}:switch", switch(job, job.switch_url, may_change=job.may_change))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list with pictures."""
        return LiveChangeList

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the page, whose rows know what the user may do."""
        found: Any = super().get_changelist_instance(request)
        may_change = self.has_change_permission(request)
        page, switch_ = (RowUrl(self.admin_site.name, f"workerd_job_{name}") for name in ("page", "switch"))
        for job in found.result_list:
            job.may_change, job.page_url, job.switch_url = may_change, page.of(job.pk), switch_.of(job.pk)
        return found

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether the user sees the orders among the actions."""
        return permissions.may_operate(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Refuse an order that the user may not give, and put the freshness above the list."""
        if request.method == "POST" and request.POST.get("action") in VERBS and not permissions.may_operate(request):
            raise PermissionDenied
        response = super().changelist_view(request, {"title": _("Jobs"), **(extra_context or {})})
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data |= self._live_context(request, response.context_data["cl"])
        return response

    def live_list_view(self, request: HttpRequest) -> HttpResponse:
        """Answer the page's script: the cells of the list at the same address, for one who may see the list."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        try:
            changes: LiveChangeList = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseBadRequest()
        snapshot = changes.snapshot
        ages = Ages(snapshot.nodes.now, spelled=False)
        pieces = {
            f"{job.pk}:{name}": cell(snapshot.of_job[job.pk], ages)
            for job in changes.result_list
            for name, cell in LIVE_CELLS.items()
        }
        for job in changes.result_list:
            pieces[f"{job.pk}:switch"] = switch(job, job.switch_url, may_change=job.may_change)
        pieces |= self._pieces(request, changes, ages)
        return answer(request, pieces, is_moving=changes.is_moving)

    def _live_context(self, request: HttpRequest, changes: LiveChangeList) -> dict[str, Any]:
        url = reverse(f"{self.admin_site.name}:workerd_job_live")
        query = request.GET.urlencode()
        return {
            **self._pieces(request, changes, Ages(changes.snapshot.nodes.now)),
            "is_late": not changes.snapshot.nodes.live,
            "workerd_settings": script_settings(f"{url}?{query}" if query else url, is_moving=changes.is_moving),
            "may_add": self.has_add_permission(request),
        }

    def _pieces(self, request: HttpRequest, changes: LiveChangeList, ages: Ages) -> dict[str, Any]:
        nodes = changes.snapshot.nodes
        shown = changes.orders if permissions.may_operate(request) or permissions.may_view_operations(request) else []
        return {"fleet": nodes_notice(nodes, ages), "orders": orders_list(shown, nodes, ages, request)}

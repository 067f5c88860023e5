"""The views for what is posted beside the form: orders from the job's page, and the switch of the list."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse

from workerd.admin import permissions
from workerd.admin.base import WorkerdAdmin
from workerd.admin.orders import VERBS, send_orders, send_to_node
from workerd.admin.reloads import WAYS
from workerd.fleet.places import is_fleet
from workerd.models import Job, Node, Slot
from workerd.wire.words import slot_name

from .origin import warn_of_drift
from .switch import set_enabled


class JobActionsAdmin(WorkerdAdmin[Job]):
    """The views that take a POST."""

    def orders_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take an order for the job, or for one slot of it."""
        if not (self.has_view_or_change_permission(request) and permissions.may_operate(request)):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        job = self.get_row_or_404(request, pk)
        verb, _space, slot = request.POST.get("order", "").partition(" ")
        if verb not in VERBS or (slot and not self._has_slot(job, slot)):
            return HttpResponseBadRequest()
        send_orders(request, verb, [job], self.alias, slot)
        return redirect(reverse(f"{self.admin_site.name}:workerd_job_page", args=[pk]))

    def _has_slot(self, job: Job, name: str) -> bool:
        """Return whether a node shows a slot of this name, or the job has such a seat, which may be free."""
        seats = range(job.processes) if is_fleet(job) else ()
        if any(slot_name(job.name, index, job.processes) == name for index in seats):
            return True
        return Slot.objects.using(self.alias).filter(job_id=job.pk, name=name).exists()

    def reload_view(self, request: HttpRequest) -> HttpResponse:
        """Take what an operator decides on a node's reload that is halted."""
        if not (self.has_view_or_change_permission(request) and permissions.may_operate(request)):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        verb, _space, pk = request.POST.get("order", "").partition(" ")
        node = Node.objects.using(self.alias).filter(pk=pk).first() if pk.isdecimal() else None
        if verb not in WAYS or node is None:
            return HttpResponseBadRequest()
        send_to_node(request, WAYS[verb], node, self.alias)
        return redirect(reverse(f"{self.admin_site.name}:workerd_job_changelist"))

    def switch_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Turn the job on or off, and return to the list as it was filtered."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        job = self.get_row_or_404(request, pk)
        enabled = request.POST.get("enabled")
        if enabled not in ("0", "1"):
            return HttpResponseBadRequest()
        if set_enabled(request, job, self.alias, enabled=enabled == "1"):
            self.log_change(request, job, [{"changed": {"fields": ["Enabled"]}}])
            warn_of_drift(request, job, job)
        url = reverse(f"{self.admin_site.name}:workerd_job_changelist")
        query = request.POST.get("back", "")
        return redirect(f"{url}?{query}" if query else url)

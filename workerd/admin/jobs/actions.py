"""The views for what is posted beside the form: orders from the job's page, and the switch of the list."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse

from workerd.admin import permissions
from workerd.admin.base import WorkerdAdmin
from workerd.admin.orders import VERBS, send_orders
from workerd.models import Job, Slot

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
        if verb not in VERBS or (slot and not Slot.objects.using(self.alias).filter(job_id=pk, name=slot).exists()):
            return HttpResponseBadRequest()
        send_orders(request, verb, [job], self.alias, slot)
        return redirect(reverse(f"{self.admin_site.name}:workerd_job_page", args=[pk]))

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
        url = reverse(f"{self.admin_site.name}:workerd_job_changelist")
        query = request.POST.get("back", "")
        return redirect(f"{url}?{query}" if query else url)

"""A small view tells the form's script, as one types, what a schedule means."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string

from workerd.admin.base import WorkerdAdmin
from workerd.models import Job
from workerd.models.clock import read_seconds

from .schedule_words import put_into_words

TEMPLATE = "admin/workerd/schedule_words.html"


class SchedulePreviewAdmin(WorkerdAdmin[Job]):
    """The view that answers with a piece of HTML."""

    def schedule_view(self, request: HttpRequest) -> HttpResponse:
        """Say what the text means in the time zone, or what is wrong with it."""
        if not (self.has_view_or_change_permission(request) or self.has_add_permission(request)):
            raise PermissionDenied
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        text, time_zone, spread = (request.GET.get(name, "") for name in ("schedule", "time_zone", "spread"))
        about = put_into_words(text, time_zone, read_seconds(self.alias), spread=spread)
        return HttpResponse(render_to_string(TEMPLATE, {"about": about}, request))

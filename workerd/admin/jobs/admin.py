"""The admin of jobs, put together: its form, and the addresses of the list, the pages and the actions."""

import json
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from workerd.admin import permissions
from workerd.admin.board.page import BoardAdmin
from workerd.admin.snapshot import read_nodes, read_snapshot
from workerd.admin.words import problem_of
from workerd.consumers.warnings import find_consumer_warnings
from workerd.fleet.hints import find_hints, read_labels
from workerd.models import Job
from workerd.models.clock import read_seconds
from workerd.wire.placeholders import PROCESSES
from workerd.wire.spec import RESTARTING_FIELDS
from workerd.wire.words import ALIVE

from .actions import JobActionsAdmin
from .form import JobForm
from .list import JobListAdmin
from .origin import warn_of_drift
from .page import JobPageAdmin
from .preview import preview_save
from .readonly_fields import as_readonly
from .schedule_preview import SchedulePreviewAdmin


@admin.register(Job)
class JobAdmin(JobListAdmin, JobPageAdmin, BoardAdmin, JobActionsAdmin, SchedulePreviewAdmin):
    """The list, the page and the actions stand in files of their own; the form of a job is here."""

    form = JobForm
    readonly_fields = ("shown_problem",)
    save_as = True
    fieldsets = (
        (_("What runs"), {"fields": ("name", "target", "command", "kwargs", "shown_problem")}),
        (
            _("Schedule"),
            {
                "fields": ("schedule", "time_zone", ("start_within", "spread"), "overlap"),
                "description": _(
                    "Without a schedule the job runs always. With one, choose “on failure” for restart, which tries a "
                    "failed run again, or “never”."
                ),
            },
        ),
        (_("How many"), {"fields": ("enabled", "processes")}),
        (
            _("On which nodes"),
            {
                "classes": ("collapse",),
                "fields": ("scope", "where", "takeover_after", "without_database", "movable"),
            },
        ),
        (
            _("When it is restarted"),
            {
                "fields": (
                    "restart",
                    ("backoff_initial", "backoff_max"),
                    ("max_restarts", "restart_window"),
                    "significant",
                )
            },
        ),
        (_("Limits"), {"fields": (("heartbeat_timeout", "heartbeat"), ("max_memory", "max_age"))}),
        (_("Notes"), {"fields": ("labels", "notes")}),
        (
            _("How it starts and stops"),
            {
                "classes": ("collapse",),  # opened by Django where a field has an error; it looks into no nested tuple
                "fields": (
                    *("starts_after", "start_grace", "start_timeout", "signals_ready"),
                    *("stop_signal", "stop_timeout", "nice"),
                ),
            },
        ),
        (
            _("Environment of its processes"),
            {"classes": ("collapse",), "fields": ("environment", "working_directory", "umask")},
        ),
    )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("reload/", view(self.reload_view), name="workerd_job_reload"),
            path("live/", view(self.live_list_view), name="workerd_job_live"),
            path("board/", view(self.board_view), name="workerd_job_board"),
            path("board/live/", view(self.board_live_view), name="workerd_job_board_live"),
            path("schedule/", view(self.schedule_view), name="workerd_job_schedule"),
            path("<int:pk>/page/", view(self.page_view), name="workerd_job_page"),
            path("<int:pk>/page/live/", view(self.page_live_view), name="workerd_job_page_live"),
            path("<int:pk>/orders/", view(self.orders_view), name="workerd_job_orders"),
            path("<int:pk>/switch/", view(self.switch_view), name="workerd_job_switch"),
            *super().get_urls(),
        ]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Give the form the stored secrets of the job that "save as new" copies, and say what its user may read."""
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.may_view_output = permissions.may_view_output(request)
        form.alias = self.alias
        form.schedule_url = reverse(f"{self.admin_site.name}:workerd_job_schedule")
        match = request.resolver_match
        if obj is None and match is not None and "object_id" in match.kwargs:
            original = self.get_object(request, match.kwargs["object_id"])
            if original is not None and self.has_change_permission(request, original):
                form.stored = original
        return form

    @admin.display(description=_("problem"))
    def shown_problem(self, job: Any) -> str:
        return str(job.readable_problem)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Job | None:
        """Return the job with what of its problem the user may read: a field's method is not told who asks."""
        job: Any = super().get_object(request, object_id, from_field)
        if job is not None:
            job.readable_problem = problem_of(job, may_view_output=permissions.may_view_output(request))
        return job  # type: ignore[no-any-return]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the line that warns, once a field is edited that restarts processes, how many it will be."""
        job = context.get("original")
        if isinstance(job, Job) and not job.schedule and (alive := self._count_alive(job)):
            words = ngettext(
                "Saving this will restart %(count)s running process.",
                "Saving this will restart %(count)s running processes.",
                alive,
            )
            context["restart_notice"] = words % {"count": alive}
            numbered = ("processes",) if PROCESSES in job.command else ()
            context["restarting_fields"] = json.dumps((*RESTARTING_FIELDS, "schedule", *numbered))
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Job, form: Any, change: bool) -> None:
        """Save, and tell the user what the daemon will do."""
        stored = self.get_queryset(request).filter(pk=obj.pk).first() if change else None
        snapshot = read_snapshot([obj], self.alias).of_job[obj.pk] if stored is not None else None
        is_late = snapshot.is_late if snapshot is not None else not read_nodes(self.alias).live
        slots = snapshot.slots if snapshot is not None else ()
        super().save_model(request, obj, form, change)
        before = stored.to_spec() if stored is not None else None
        messages.info(request, preview_save(before, obj.to_spec(), slots, read_seconds(self.alias), is_late=is_late))
        for hint in find_hints(obj.to_spec(), read_labels(self.alias)):
            messages.warning(request, hint)
        for warning in find_consumer_warnings(obj.to_spec()):
            messages.warning(request, warning.sentence)
        warn_of_drift(request, stored, obj)

    def response_post_save_add(self, request: HttpRequest, obj: Job) -> HttpResponseRedirect:
        """Go on to the job's page, where the user sees it run."""
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:workerd_job_page", args=[obj.pk]))

    def response_post_save_change(self, request: HttpRequest, obj: Job) -> HttpResponseRedirect:
        return self.response_post_save_add(request, obj)

    def _count_alive(self, job: Job) -> int:
        snapshot = read_snapshot([job], self.alias).of_job[job.pk]
        return 0 if snapshot.is_late else sum(slot.state in ALIVE for slot in snapshot.slots)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out ``problem`` where there is none; format the fields for a user who gets no form."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not obj.problem:
            fieldsets = _without_problem(fieldsets)
        is_form = obj is None or self.has_change_permission(request, obj)
        return fieldsets if is_form else as_readonly(fieldsets)


def _without_problem(fieldsets: Any) -> Any:
    (title, options), *others = fieldsets
    fields = tuple(name for name in options["fields"] if name != "shown_problem")
    return [(title, {**options, "fields": fields}), *others]

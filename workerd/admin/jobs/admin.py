"""Jobs: where an operator says what runs, sees what does, and steers it."""

import json
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from workerd.admin.snapshot import read_nodes, read_snapshot
from workerd.models import Job
from workerd.wire.spec import RESTARTING_FIELDS
from workerd.wire.words import ALIVE

from .form import JobForm
from .list import JobListAdmin
from .page import JobPageAdmin
from .preview import preview_save
from .readonly_fields import as_readonly


@admin.register(Job)
class JobAdmin(JobListAdmin, JobPageAdmin):
    """The definitions, in an operator's order: what runs, how many, how it is restarted, started, stopped, watched."""

    form = JobForm
    readonly_fields = ("problem",)
    save_as = True
    fieldsets = (
        (_("What runs"), {"fields": ("name", "target", "command", "kwargs", "problem")}),
        (_("How many"), {"fields": ("enabled", "processes")}),
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
        (_("Notes"), {"fields": ("notes",)}),
        (
            _("How it starts and stops"),
            {
                "classes": ("collapse",),  # Django opens it where one of these has an error, and looks no deeper
                "fields": ("start_grace", "start_timeout", "signals_ready", "stop_signal", "stop_timeout", "nice"),
            },
        ),
    )

    def get_urls(self) -> list[Any]:
        """Add the job's page, what the scripts fetch, and what is posted beside the form."""
        view = self.admin_site.admin_view
        return [
            path("live/", view(self.live_list_view), name="workerd_job_live"),
            path("<int:pk>/page/", view(self.page_view), name="workerd_job_page"),
            path("<int:pk>/page/live/", view(self.page_live_view), name="workerd_job_page_live"),
            path("<int:pk>/orders/", view(self.orders_view), name="workerd_job_orders"),
            path("<int:pk>/switch/", view(self.switch_view), name="workerd_job_switch"),
            *super().get_urls(),
        ]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Let "save as new" keep the secrets of the job it copies."""
        form: Any = super().get_form(request, obj, change, **kwargs)
        match = request.resolver_match
        if obj is None and match is not None and "object_id" in match.kwargs:
            original = self.get_object(request, match.kwargs["object_id"])
            if original is not None and self.has_change_permission(request, original):
                form.stored_kwargs = original.kwargs
        return form

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """Say beside the buttons what saving would restart."""
        job = context.get("original")
        if isinstance(job, Job) and (alive := self._count_alive(job)):
            words = ngettext(
                "Saving this will restart %(count)s running process.",
                "Saving this will restart %(count)s running processes.",
                alive,
            )
            context["foretold"] = words % {"count": alive}
            context["restarting_fields"] = json.dumps(RESTARTING_FIELDS)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Job, form: Any, change: bool) -> None:
        """Save, and say what will happen."""
        was = self.get_queryset(request).filter(pk=obj.pk).first() if change else None
        picture = read_snapshot([obj], self.alias).of_job[obj.pk] if was is not None else None
        is_late = picture.is_late if picture is not None else not read_nodes(self.alias).live
        super().save_model(request, obj, form, change)
        slots = picture.slots if picture is not None else ()
        messages.info(request, preview_save(was.to_spec() if was else None, obj.to_spec(), slots, is_late=is_late))

    def response_post_save_add(self, request: HttpRequest, obj: Job) -> HttpResponseRedirect:
        """Go on to the job's page, to see it run."""
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:workerd_job_page", args=[obj.pk]))

    def response_post_save_change(self, request: HttpRequest, obj: Job) -> HttpResponseRedirect:
        """As after adding."""
        return self.response_post_save_add(request, obj)

    def _count_alive(self, job: Job) -> int:
        picture = read_snapshot([job], self.alias).of_job[job.pk]
        return sum(1 for slot in picture.slots if slot.state in ALIVE and not picture.is_late)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show durations as people write them to one who gets no form, too."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not obj.problem:
            fieldsets = _without_problem(fieldsets)
        is_form = obj is None or self.has_change_permission(request, obj)
        return fieldsets if is_form else as_readonly(fieldsets)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Refuse to filter by arguments: the answer would tell a secret letter by letter."""
        return not lookup.startswith("kwargs") and super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]  # None until Django 6


def _without_problem(fieldsets: Any) -> Any:
    (title, options), *others = fieldsets
    return [(title, {**options, "fields": tuple(name for name in options["fields"] if name != "problem")}), *others]

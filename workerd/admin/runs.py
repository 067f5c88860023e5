"""Runs: the list of all, and the page of one."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from workerd.models import Job, Run
from workerd.models.clock import DatabaseNow

from . import permissions
from .ages import Ages, exact, spell_span
from .badges import outcome_badge
from .base import CappedPaginator, ReadOnlyAdmin
from .due import is_missed, lateness, short_due
from .recent_runs import runs_beside
from .resources.section import run_section
from .run_sentence import describe_end, exception_of, lifetime_s


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin[Run]):
    """The history, newest first. A run's row has the names of its job and node, as either may be deleted."""

    list_display = ("run", "outcome_badge", "due_time", "started", "ran_for", "cause", "process", "node_name")
    list_display_links = None
    list_filter = ("outcome", "trigger", "born")
    linked_lookups = ("job__id__exact",)
    list_per_page = 50
    paginator = CappedPaginator
    sortable_by = ("started",)
    search_fields = ("job_name",)

    @admin.display(description=_lazy("run"))
    def run(self, run: Run) -> SafeString:
        """Return the slot's name as a link to the run."""
        return format_html(
            '<a href="{}">{}</a>', reverse(f"{self.admin_site.name}:workerd_run_change", args=[run.pk]), run.slot
        )

    @admin.display(description=_lazy("outcome"))
    def outcome_badge(self, run: Run) -> SafeString:
        return outcome_badge(run.outcome)

    @admin.display(description=_lazy("due"))
    def due_time(self, run: Run) -> str:
        """Return the time of the schedule, how late the run was, and what started it."""
        return short_due(run)

    # A missed time has no process: neither a start nor an end, nor a pid.

    @admin.display(description=_lazy("born"), ordering="born")
    def started(self, run: Run) -> Any:
        return None if is_missed(run) else run.born

    @admin.display(description=_lazy("ran for"))
    def ran_for(self, run: Any) -> str | None:
        return None if is_missed(run) else spell_span(lifetime_s(run, run.read_at))

    @admin.display(description=_lazy("pid"))
    def process(self, run: Run) -> int | None:
        return None if is_missed(run) else run.pid

    @admin.display(description=_lazy("cause"))
    def cause(self, run: Run) -> str:
        """Return the exception's name, the signal or the exit code; of a missed time, how many there were."""
        if is_missed(run):
            return ngettext("%(count)s time", "%(count)s times", run.missed or 1) % {"count": run.missed or 1}
        if exception := exception_of(run, may_view_output=False):
            return exception[:80]
        return run.signal or (_("exit code %s") % run.exit_code if run.exit_code else "")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Return the runs with the database's time, by which their age is told; in the list without long texts."""
        rows = super().get_queryset(request).annotate(read_at=DatabaseNow())
        match = request.resolver_match
        is_list = match is not None and match.url_name == "workerd_run_changelist"
        return rows.defer("traceback", "stack", "last_lines", "samples") if is_list else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Run], search_term: str
    ) -> tuple[QuerySet[Run], bool]:
        """Find the runs of a job by its whole name, or of a slot by "name:number", as both have an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        name, colon, number = term.rpartition(":")
        if colon and number.isdecimal() and len(number) < 10:
            return queryset.filter(job_name=name, index=int(number)), False
        return queryset.filter(job_name=term), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one run, for reading."""
        if request.method != "GET" or not self.has_view_permission(request):
            raise PermissionDenied
        run: Any = self.get_object(request, object_id)
        if run is None:
            raise Http404
        may_view_output = permissions.may_view_output(request)
        before, after = runs_beside(run, self.alias)
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": _("A run of %s") % run.slot,
            "opts": self.opts,
            "media": self.media,
            "run": run,
            "is_missed": is_missed(run),
            "badge": outcome_badge(run.outcome),
            "sentence": describe_end(run, run.read_at, may_view_output=may_view_output),
            "facts": self._facts(run, request),
            "resources": run_section(run, self._job_of(run), request),
            "blocks": _blocks(run) if may_view_output else (),
            "may_view_output": may_view_output,
            "before": before,
            "after": after,
        }
        request.current_app = self.admin_site.name  # as Django's own views do, for {% url %}
        return TemplateResponse(request, "admin/workerd/run/page.html", context)

    def _facts(self, run: Any, request: HttpRequest) -> list[tuple[str, str]]:
        ages = Ages(run.read_at)
        place = [(_("Job"), self._job_link(run, request)), (_("Node"), run.node_name or "-"), *_due_facts(run, ages)]
        identity = (_("Run"), format_html("<code>{}</code>", run.pk))
        if is_missed(run):
            return [*place, (_("Times missed"), str(run.missed or 1)), identity]
        return [
            *place,
            (_("Started"), _moment(run.born, ages)),
            (_("Ready"), _moment(run.ready, ages)),
            (_("Ended"), _moment(run.ended, ages)),
            (_("Ran for"), spell_span(lifetime_s(run, ages.now))),
            (_("Exit"), run.signal or ("-" if run.exit_code is None else str(run.exit_code))),
            (
                _("Process"),
                _("pid %(pid)s, generation %(generation)s") % {"pid": run.pid or "-", "generation": run.generation},
            ),
            (_("Longest silence"), "-" if run.longest_silence is None else spell_span(run.longest_silence)),
            (_("Peak memory"), "-" if run.peak_memory is None else _("%s MiB") % f"{run.peak_memory:.1f}"),
            (_("Connections"), _connections(run)),
            (_("Last note"), run.note or "-"),
            identity,
        ]

    def _job_of(self, run: Run) -> Job | None:
        """Return the job of a run that has samples, for its limits."""
        return Job.objects.using(self.alias).filter(pk=run.job_id).first() if run.samples and run.job_id else None

    def _job_link(self, run: Run, request: HttpRequest) -> str:
        """Return the job's name, as a link where the job still exists and the user may see it."""
        may_see = request.user.has_perm("workerd.view_job") or request.user.has_perm("workerd.change_job")
        if run.job_id is None or not (may_see and Job.objects.using(self.alias).filter(pk=run.job_id).exists()):
            return run.job_name
        url = reverse(f"{self.admin_site.name}:workerd_job_page", args=[run.job_id])
        return format_html('<a href="{}">{}</a>', url, run.job_name)


def _due_facts(run: Run, ages: Ages) -> list[tuple[str, str]]:
    if run.due is None:
        return []
    late = lateness(run)
    facts = [(_("Due"), _moment(run.due, ages)), (_("Started late by"), late.removeprefix("+") if late else "")]
    if not is_missed(run):
        facts.append((_("Started by"), run.get_trigger_display() or ""))
    return [(term, value) for term, value in facts if value]


def _blocks(run: Run) -> list[tuple[str, str, str]]:
    blocks = [
        ("stack", _("The stack of every thread when it hung"), run.stack),
        ("traceback", _("Traceback"), run.traceback),
        ("lines", _("Its last lines of output"), run.last_lines),
    ]
    return [(name, title, text) for name, title, text in blocks if text]


def _moment(moment: Any, ages: Ages) -> str:
    if moment is None:
        return "-"
    return format_html(_("{} ({} ago)"), exact(moment), ages.since(moment))


def _connections(run: Run) -> str:
    if run.connections_opened is None:
        return "-"
    values = {"opened": run.connections_opened, "closed": run.connections_closed or 0}
    return _("%(opened)s opened, %(closed)s closed") % values

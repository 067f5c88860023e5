"""Runs: what became of each process."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from workerd.models import Job, Run

from . import permissions
from .ages import Ages, exact, spell_span
from .badges import outcome_badge
from .base import CappedPaginator, ReadOnlyAdmin
from .cells import Text
from .jobs.recent_runs import neighbours
from .run_sentence import lived_s, tell_end

OUTPUT_FIELDS = ("exception", "traceback", "stack", "last_lines")


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin[Run]):
    """The history, newest first. The name of job and node stand in the row: either may be gone."""

    list_display = ("run", "how", "born", "lived", "why", "pid", "node_name")
    list_display_links = None
    list_filter = ("outcome", "born")
    list_per_page = 50
    paginator = CappedPaginator
    sortable_by = ("born",)
    search_fields = ("job_name",)

    @admin.display(description=_("run"))
    def run(self, run: Run) -> SafeString:
        """Return the slot's name, which leads to the run."""
        return format_html(
            '<a href="{}">{}</a>', reverse(f"{self.admin_site.name}:workerd_run_change", args=[run.pk]), run.slot
        )

    @admin.display(description=_("outcome"))
    def how(self, run: Run) -> SafeString:
        """Return the outcome's badge."""
        return outcome_badge(run.outcome)

    @admin.display(description=_("lived"))
    def lived(self, run: Run) -> str:
        """Return how long it lived."""
        return spell_span(lived_s(run, timezone.now()))

    @admin.display(description=_("why"))
    def why(self, run: Run) -> str:
        """Return the exception's name, the signal or the exit code."""
        if run.exception:
            return run.exception.partition(":")[0][:80]
        return run.signal or (_text("exit code %s") % run.exit_code if run.exit_code else "")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Leave the long texts where they are until a run is looked at."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and match.url_name == "workerd_run_changelist"
        return rows.defer("traceback", "stack", "last_lines") if is_list else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Run], search_term: str
    ) -> tuple[QuerySet[Run], bool]:
        """Find a job's runs by its whole name, or one slot's by "name:number": both have an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        name, colon, number = term.rpartition(":")
        if colon and number.isdecimal() and len(number) < 10:
            return queryset.filter(job_name=name, index=int(number)), False
        return queryset.filter(job_name=term), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Refuse to filter by what the user may not read: the answer would tell it letter by letter."""
        is_output = lookup.partition("__")[0] in OUTPUT_FIELDS
        if is_output and (request is None or not permissions.may_view_output(request)):
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]  # None until Django 6

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one run, laid out for reading."""
        if request.method != "GET" or not self.has_view_permission(request):
            raise PermissionDenied
        run = self.get_object(request, object_id)
        if run is None:
            raise Http404
        may_view_output = permissions.may_view_output(request)
        before, after = neighbours(run, self.alias)
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": _text("A run of %s") % run.slot,
            "opts": self.opts,
            "media": self.media,
            "run": run,
            "badge": outcome_badge(run.outcome),
            "sentence": tell_end(run, timezone.now(), may_view_output=may_view_output),
            "facts": self._facts(run, request),
            "blocks": _blocks(run) if may_view_output else (),
            "may_view_output": may_view_output,
            "before": before,
            "after": after,
        }
        request.current_app = self.admin_site.name  # as Django's own views do, for {% url %}
        return TemplateResponse(request, "admin/workerd/run/page.html", context)

    def _facts(self, run: Run, request: HttpRequest) -> list[tuple[str, Text]]:
        ages = Ages(timezone.now())
        moments = [
            (_text("Born"), run.born),
            (_text("Ready"), run.ready),
            (_text("Ended"), run.ended),
        ]
        facts: list[tuple[str, Text]] = [(_text("Job"), self._job(run, request)), (_text("Node"), run.node_name or "-")]
        facts += [(label, _moment(moment, ages)) for label, moment in moments]
        facts += [
            (_text("Lived"), spell_span(lived_s(run, timezone.now()))),
            (_text("Exit"), run.signal or ("-" if run.exit_code is None else str(run.exit_code))),
            (
                _text("Process"),
                _text("pid %(pid)s, generation %(generation)s") % {"pid": run.pid or "-", "generation": run.generation},
            ),
            (_text("Peak memory"), "-" if run.peak_memory is None else _text("%s MiB") % f"{run.peak_memory:.1f}"),
            (_text("Connections"), _connections(run)),
            (_text("Last note"), run.note or "-"),
            (_text("Run"), format_html("<code>{}</code>", run.pk)),
        ]
        return facts

    def _job(self, run: Run, request: HttpRequest) -> Text:
        """Return the job's name, with a way to its page where it still is and the user may see it."""
        may_see = request.user.has_perm("workerd.view_job") or request.user.has_perm("workerd.change_job")
        if run.job_id is None or not (may_see and Job.objects.using(self.alias).filter(pk=run.job_id).exists()):
            return run.job_name
        url = reverse(f"{self.admin_site.name}:workerd_job_page", args=[run.job_id])
        return format_html('<a href="{}">{}</a>', url, run.job_name)


def _blocks(run: Run) -> list[tuple[str, str, str]]:
    blocks = [
        ("stack", _text("Where every thread stood when it hung"), run.stack),
        ("traceback", _text("Traceback"), run.traceback),
        ("lines", _text("What it wrote last"), run.last_lines),
    ]
    return [(name, title, text) for name, title, text in blocks if text]


def _moment(moment: Any, ages: Ages) -> Text:
    if moment is None:
        return "-"
    return format_html(_text("{} ({} ago)"), exact(moment), ages.since(moment))


def _connections(run: Run) -> str:
    if run.connections_opened is None:
        return "-"
    values = {"opened": run.connections_opened, "closed": run.connections_closed or 0}
    return _text("%(opened)s opened, %(closed)s closed") % values

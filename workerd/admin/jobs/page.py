"""A job's page: its slots live, its last day, its last failures, and the orders that the user may give."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from workerd.admin import permissions
from workerd.admin.ages import Ages, exact
from workerd.admin.badges import outcome_badge, resting_badge, state_badge
from workerd.admin.base import WorkerdAdmin
from workerd.admin.cells import clipped, memory, next_start
from workerd.admin.due import due_cell, is_missed
from workerd.admin.live import answer, script_settings
from workerd.admin.nodes_notice import nodes_notice
from workerd.admin.orders import verbs_for
from workerd.admin.orders_shown import orders_list
from workerd.admin.recent_runs import RecentRuns, read_recent_runs
from workerd.admin.reloads import halts_notice
from workerd.admin.resources.section import slots_section
from workerd.admin.resting import is_resting
from workerd.admin.run_sentence import describe_run, exception_of
from workerd.admin.snapshot import Snapshot, read_snapshot
from workerd.admin.timeline import lay_out
from workerd.models import Job, Run

from .schedule_section import schedule_section
from .seats import seats_section
from .summary import summary_of


class JobPageAdmin(WorkerdAdmin[Job]):
    """The page of one job and its refresh."""

    def page_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        job, snapshot = self._read(request, pk)
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        site = self.admin_site.name
        url = reverse(f"{site}:workerd_job_page_live", args=[pk])
        context = {
            **self.admin_site.each_context(request),
            **self._page_pieces(request, job, snapshot, spelled=True),
            "title": job.name,
            "job": job,
            "problem": snapshot.of_job[pk].problem,
            "opts": self.opts,
            "media": self.media,
            "verbs": verbs_for(job) if permissions.may_operate(request) else (),
            "orders_url": reverse(f"{site}:workerd_job_orders", args=[pk]),
            "may_change": self.has_change_permission(request, job),
            "may_view_runs": permissions.may_view_runs(request),
            "summary": summary_of(job),
            "workerd_settings": script_settings(url, is_moving=snapshot.of_job[pk].is_moving),
        }
        request.current_app = self.admin_site.name  # as Django's own views do, for {% url %}
        return TemplateResponse(request, "admin/workerd/job/page.html", context)

    def page_live_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Answer the page's script with the pieces that change."""
        job, snapshot = self._read(request, pk)
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        pieces = self._page_pieces(request, job, snapshot, spelled=False)
        return answer(request, pieces, is_moving=snapshot.of_job[pk].is_moving)

    def _read(self, request: HttpRequest, pk: int) -> tuple[Job, Snapshot]:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        job = self.get_row_or_404(request, pk)
        return job, read_snapshot([job], self.alias, may_view_output=permissions.may_view_output(request))

    def _page_pieces(self, request: HttpRequest, job: Job, snapshot: Snapshot, *, spelled: bool) -> dict[str, Any]:
        nodes, of_job = snapshot.nodes, snapshot.of_job[job.pk]
        ages = Ages(nodes.now, spelled=spelled)
        slots = {
            "slots": [self._slot_row(slot, job, ages, request) for slot in of_job.slots],
            "job": job,
            "is_late": of_job.is_late,
            "is_fleet": bool(of_job.places),
            "may_operate": permissions.may_operate(request),
        }
        orders = of_job.orders if permissions.may_see_orders(request) else ()
        pieces: dict[str, Any] = {
            "nodes": nodes_notice(nodes, ages),
            "halts": halts_notice(nodes, request),
            "orders": orders_list(orders, nodes, ages, request),
            "slots": render_to_string("admin/workerd/job/slots.html", slots, request),
        }
        if of_job.places:
            pieces["seats"] = seats_section(of_job.places, ages, request)
        pieces["resources"] = slots_section(job, of_job.slots, nodes.now, self.alias, request)
        recent = None
        if permissions.may_view_runs(request):
            recent = read_recent_runs(job, of_job.slots, nodes.now, self.alias)
            pieces |= self._history_pieces(request, job, recent, ages)
        if job.schedule:
            pieces["schedule"] = schedule_section(job, recent, ages, request)
        return pieces

    def _slot_row(self, slot: Any, job: Job, ages: Ages, request: HttpRequest) -> dict[str, Any]:
        run_url = ""
        if slot.run and permissions.may_view_runs(request):
            run_url = reverse(f"{self.admin_site.name}:workerd_run_change", args=[slot.run])
        return {
            "slot": slot,
            "badge": resting_badge(slot.next_start, ages) if is_resting(slot, job) else state_badge(slot.state),
            "is_resting": is_resting(slot, job),
            "since": ages.since(slot.since),
            "reason": slot.reason,
            "next_start": "" if is_resting(slot, job) else next_start(slot, ages),
            "beat": ages.since(slot.last_beat),
            "note": clipped(slot.note) if slot.note else "",
            "memory": memory(slot.memory, job.max_memory),
            "run_url": run_url,
        }

    def _history_pieces(self, request: HttpRequest, job: Job, recent: RecentRuns, ages: Ages) -> dict[str, Any]:
        site = self.admin_site.name
        may_view_output = permissions.may_view_output(request)
        rows = [_run_row(run, recent, site, ages) for run in recent.shown[:100]]
        failures = [
            {**_run_row(run, recent, site, ages), "last_line": _last_line(run, may_view_output=may_view_output)}
            for run in recent.failures
        ]
        day = {"timeline": lay_out(recent, site), "rows": rows, "cut": exact(recent.cut) if recent.cut else ""}
        day["is_scheduled"] = bool(job.schedule) or any(run.due for run in recent.shown)
        return {
            "timeline": render_to_string("admin/workerd/job/timeline.html", day, request),
            "failures": render_to_string("admin/workerd/job/failures.html", {"failures": failures}, request),
        }


def _run_row(run: Run, recent: RecentRuns, site: str, ages: Ages) -> dict[str, Any]:
    return {
        "run": run,
        "badge": outcome_badge(run.outcome),
        "url": reverse(f"{site}:workerd_run_change", args=[run.pk]),
        "words": describe_run(run, recent.now) if run.ended else "",
        "due": due_cell(run),
        "started": exact(run.born) if run.born and not is_missed(run) else "-",
        "ended": ages.since(run.ended),
    }


def _last_line(run: Run, *, may_view_output: bool) -> str:
    """Return the exception, without ``may_view_output`` its type alone; else the signal or the exit code."""
    exception = exception_of(run, may_view_output=may_view_output)
    if not exception:
        return run.signal or (_("exit code %s") % run.exit_code if run.exit_code is not None else "")
    return exception

"""The board's page and its refresh, as the admin serves them and as ``workerd.urls`` does, for whoever may see jobs."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.admin import ModelAdmin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from workerd.admin.base import WorkerdAdmin
from workerd.admin.live import SLOW_MS, answer, script_settings
from workerd.conf import get_settings
from workerd.models import Job

from .links import Links
from .pieces import render_pieces
from .rows import Fleet, read_fleet

WALL = "wall"
"""With this in its query the page has nothing but the board."""
MANY_SLOTS, MANY_MS = 2000, 5000
"""From so many slots on a page asks less often: it takes the web process longer to answer."""

View = Callable[[HttpRequest], HttpResponse]


class BoardAdmin(WorkerdAdmin[Job]):
    """The board as a page of the admin."""

    def board_view(self, request: HttpRequest) -> HttpResponse:
        """Show the board within the admin's frame, or alone, for a wall."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name  # as Django's own views do
        site = self.admin_site.name
        addresses = {"board": f"{site}:workerd_job_board", "live": f"{site}:workerd_job_board_live"}
        frame = "admin/workerd/board/bare.html" if WALL in request.GET else "admin/base_site.html"
        context = {**self.admin_site.each_context(request), "opts": self.opts, "frame": frame}
        return _page(request, addresses, context)

    def board_live_view(self, request: HttpRequest) -> HttpResponse:
        """Answer the page's script with the pieces that change."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        return _refresh(request)


def for_viewers(view: View) -> View:
    """Let those to a view whom the project's admin lets to the jobs list; others log in, or are refused.

    Where the project serves no admin with jobs, these are active staff who may view or change jobs.
    """

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        jobs = _served_admin()
        user: Any = request.user
        is_let_in = jobs.admin_site.has_permission(request) if jobs is not None else user.is_active and user.is_staff
        if not is_let_in:
            return redirect_to_login(request.get_full_path(), _login_address())
        may_view = (
            jobs.has_view_or_change_permission(request)
            if jobs is not None
            else user.has_perm("workerd.view_job") or user.has_perm("workerd.change_job")
        )
        if not may_view:
            raise PermissionDenied
        return view(request)

    return never_cache(guarded)


@for_viewers
def board(request: HttpRequest) -> HttpResponse:
    """Show the board where the project has included ``workerd.urls``."""
    addresses = {"board": "workerd:board", "live": "workerd:board_live"}
    return _page(request, addresses, {"frame": "admin/workerd/board/bare.html"})


@for_viewers
def board_live(request: HttpRequest) -> HttpResponse:
    """Answer the script of that page."""
    return _refresh(request)


def _page(request: HttpRequest, addresses: dict[str, str], context: dict[str, Any]) -> HttpResponse:
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    fleet = read_fleet(get_settings().database)
    here = reverse(addresses["board"])
    live = reverse(addresses["live"])
    context |= {
        **render_pieces(request, fleet, spelled=True),
        "title": _("Board"),
        "is_wall": WALL in request.GET,
        "here": here,
        "wall": f"{here}?{WALL}",
        "jobs_list": Links.of(request).jobs,
        "workerd_settings": script_settings(live, is_moving=False, slow_ms=_pause_ms(fleet)),
    }
    return TemplateResponse(request, "admin/workerd/board/page.html", context)


def _refresh(request: HttpRequest) -> HttpResponse:
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    fleet = read_fleet(get_settings().database)
    pieces = render_pieces(request, fleet, spelled=False)
    return answer(request, pieces, is_moving=False, slow_ms=_pause_ms(fleet))


def _pause_ms(fleet: Fleet) -> int:
    return MANY_MS if sum(len(rows.slots) for rows in fleet.jobs) >= MANY_SLOTS else SLOW_MS


def _served_admin() -> "ModelAdmin[Job] | None":
    """Return the admin of jobs in the site that the project serves, whose rules may be stricter than Django's."""
    try:
        return getattr(resolve(reverse("admin:workerd_job_changelist")).func, "model_admin", None)
    except NoReverseMatch:
        return None


def _login_address() -> str:
    try:
        return reverse("admin:login")
    except NoReverseMatch:
        return str(settings.LOGIN_URL)

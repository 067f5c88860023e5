"""The seats of a job of the fleet on its page: who holds each, since when, how often it moved, why one is free."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from workerd.admin.ages import Ages
from workerd.admin.badges import badge
from workerd.fleet.nodes import is_silent
from workerd.fleet.places import Place


def seats_section(places: Sequence[Place], ages: Ages, request: HttpRequest) -> str:
    """Return the table of the seats."""
    rows = [_row(place, ages) for place in places]
    return render_to_string("admin/workerd/job/seats.html", {"rows": rows}, request)


def _row(place: Place, ages: Ages) -> dict[str, Any]:
    seat = place.seat
    return {
        "name": place.name,
        "badge": _badge(place, ages),
        "holder": place.holder,
        "since": ages.since(seat.since) if seat is not None and place.is_held else "-",
        "moves": seat.moves if seat is not None else 0,
        "token": seat.token if seat is not None and seat.token else "-",
        "reason": place.reason,
    }


def _badge(place: Place, ages: Ages) -> str:
    if place.is_held:
        lost = place.holder is None or is_silent(place.holder, ages.now)
        return badge("warn", _("held, its node is silent")) if lost else badge("good", _("held"))
    if place.stopped_by:
        return badge("hold", _("stopped by an operator"))
    return badge("wait" if place.is_wanted else "rest", _("free"))

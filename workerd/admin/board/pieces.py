"""The pieces of the board as HTML, for the page and for its refresh."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workerd.admin import permissions
from workerd.admin.ages import Ages
from workerd.admin.badges import badge

from .bars import axis, bars, say_ends, total
from .headline import figures, headline
from .links import Links
from .matrix import Matrix, lay_out
from .nodes import node_lines, short_names
from .rows import Fleet
from .troubles import Trouble, find_troubles

MOST_LISTED = 15
"""The most troubles that are told in words; the matrix has more of them."""
MOST_NAMED = 3


def render_pieces(request: HttpRequest, fleet: Fleet, *, spelled: bool) -> dict[str, Any]:
    """Return the pieces by their keys; with ``spelled`` off the ages are left to the page's script."""
    links, ages = Links.of(request), Ages(fleet.now, spelled=spelled)
    troubles = find_troubles(fleet, may_view_output=permissions.may_view_output(request))
    names = short_names(fleet.shown)
    matrix = lay_out(fleet, troubles, links)
    listed = [_entry(trouble, names, links, ages) for trouble in troubles[:MOST_LISTED]]
    return {
        "headline": headline(fleet, troubles),
        "figures": figures(fleet, troubles, ages),
        "day": _render(request, "day", _day(fleet)),
        "troubles": _render(request, "troubles", {"troubles": listed, "more": len(troubles[MOST_LISTED:])}),
        "nodes": _render(request, "nodes", node_lines(fleet, links, ages)),
        "matrix": _render(request, "matrix", _table(matrix, names, links)),
    }


def _render(request: HttpRequest, name: str, context: dict[str, Any]) -> SafeString:
    return render_to_string(f"admin/workerd/board/{name}.html", context, request)


def _day(fleet: Fleet) -> dict[str, Any]:
    hours = fleet.day.total
    words = say_ends(*total(hours))
    return {"bars": bars(hours, max(hour.ends for hour in hours), words), "words": words, "ticks": axis(fleet.day)}


def _entry(trouble: Trouble, names: dict[int, str], links: Links, ages: Ages) -> dict[str, Any]:
    subject = trouble.job or trouble.nodes[0]
    return {
        "badge": badge(trouble.tone, trouble.words),
        "name": str(subject) if trouble.job is None else trouble.job.name,
        "url": links.node(trouble.nodes[0]) if trouble.job is None else links.job(trouble.job),
        "slots": _slots(trouble),
        "nodes": _nodes(trouble, names) if trouble.job is not None else "",
        "since": ages.since(trouble.since) if trouble.since else "",
        "reason": trouble.reason,
        "tone": trouble.tone,
    }


def _slots(trouble: Trouble) -> str:
    """Return the slot's name where it is another than its job's, or how many there are."""
    if len(trouble.slots) == 1:
        return trouble.slots[0] if trouble.job is None or trouble.slots[0] != trouble.job.name else ""
    if not trouble.slots:
        return ""
    named = ", ".join(trouble.slots[:MOST_NAMED])
    more = len(trouble.slots) - MOST_NAMED
    return named if more <= 0 else _("%(names)s and %(count)s more") % {"names": named, "count": more}


def _nodes(trouble: Trouble, names: dict[int, str]) -> str:
    """Return where it is so: the names of a few nodes, and how many more there are."""
    if not trouble.nodes:
        return ""
    named = ", ".join(names.get(node.pk, str(node)) for node in trouble.nodes[:MOST_NAMED])
    more = len(trouble.nodes) - MOST_NAMED
    if more > 0:
        named = _("%(names)s and %(count)s more") % {"names": named, "count": more}
    return _("on %(nodes)s") % {"nodes": named}


def _table(matrix: Matrix, names: dict[int, str], links: Links) -> dict[str, Any]:
    columns: Sequence[dict[str, str]] = [
        {"name": names[node.pk], "whole": str(node), "url": links.node(node)} for node in matrix.columns
    ]
    count = len(matrix.folded)
    return {
        "matrix": matrix,
        "columns": columns,
        "folded_words": ngettext("%(count)s job without trouble", "%(count)s jobs without trouble", count)
        % {"count": count},
    }

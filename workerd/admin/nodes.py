"""Nodes, as their ledgers report them: their list, and the line above each live page that says which of them report."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from workerd.models import Node
from workerd.models.clock import DatabaseNow

from .ages import Ages, between
from .badges import badge
from .base import ReadOnlyAdmin
from .snapshot import LATE, Nodes


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin[Node]):
    """Shows which daemons there are, and when each last reported."""

    list_display = ("__str__", "reports", "daemon_pid", "workerd_version", "generation", "started")
    search_fields = ("name", "host")
    fields = ("name", "host", "daemon_pid", "workerd_version", "generation", "started", "pulse")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        """Return the nodes with the database's time, by whose clock their pulse is written."""
        return super().get_queryset(request).annotate(read_at=DatabaseNow())

    @admin.display(description=_lazy("reports"), ordering="pulse")
    def reports(self, node: Any) -> SafeString:
        if node.pulse is None:
            return badge("rest", _("never"))
        age = Ages(node.read_at).since(node.pulse)
        if between(node.pulse, node.read_at) <= LATE:
            return format_html(_("{} {} ago"), badge("good", _("reporting")), age)
        return format_html(_("{} for {}"), badge("warn", _("silent")), age)


def nodes_notice(nodes: Nodes, ages: Ages) -> SafeString:
    """Return the line above a live page: which daemons report and how long ago they did, or that none does."""
    if not nodes.nodes:
        words = _("No daemon has ever reported. Start one: {}")
        return _notice("late", format_html(words, format_html("<code>{}</code>", "manage.py workerd run")))
    if not nodes.live:
        words = _(
            "No daemon has reported for {}. This page shows what was last reported; orders expire after a minute."
        )
        return _notice("late", format_html(words, ages.since(nodes.last_pulse)))
    lines = format_html_join(
        " · ",
        _("{} generation {}, reported {} ago"),
        ((node, node.generation, ages.since(node.pulse)) for node in nodes.live),
    )
    silent = [node for node in nodes.nodes if node not in nodes.live]
    if silent:
        names = ", ".join(str(node) for node in silent)
        lines = format_html("{} · {}", lines, _("silent: %(names)s") % {"names": names})
    return _notice("fresh", lines)


def _notice(tone: str, words: SafeString) -> SafeString:
    return format_html('<p class="workerd-notice workerd-notice-{}">{}</p>', tone, words)

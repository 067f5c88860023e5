"""Nodes, as their ledgers report them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from workerd.models import Node

from .ages import Ages
from .badges import badge
from .base import ReadOnlyAdmin
from .snapshot import LATE


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin[Node]):
    """Which daemons there are, and when each was last heard of."""

    list_display = ("__str__", "reports", "daemon_pid", "workerd_version", "generation", "started")
    search_fields = ("name", "host")
    fields = ("name", "host", "daemon_pid", "workerd_version", "generation", "started", "pulse")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        """Return the nodes with the database's time, which their pulse is told by."""
        return super().get_queryset(request).annotate(read_at=Now())

    @admin.display(description=_("reports"), ordering="pulse")
    def reports(self, node: Any) -> SafeString:
        """Return whether its pulse is in time, and when it was."""
        if node.pulse is None:
            return badge("rest", _text("never"))
        age = Ages(node.read_at).since(node.pulse)
        if node.read_at - node.pulse <= LATE:
            return format_html(_text("{} {} ago"), badge("good", _text("reporting")), age)
        return format_html(_text("{} for {}"), badge("warn", _text("silent")), age)

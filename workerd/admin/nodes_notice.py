"""The line above each live page that says which daemons report."""

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .ages import Ages
from .snapshot import Nodes


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

"""The board's headline: whether all is well, in words and a colour; and the line of figures below it."""

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workerd.admin.ages import Ages

from .rows import Fleet
from .troubles import Trouble


def headline(fleet: Fleet, troubles: Sequence[Trouble]) -> SafeString:
    """Return the heading of the page: its words change only when the answer to “is all well?” does."""
    tone, words = _judge(fleet, troubles)
    return format_html('<h1 class="workerd-headline workerd-{}"><span>{}</span></h1>', tone, words)


def figures(fleet: Fleet, troubles: Sequence[Trouble], ages: Ages) -> SafeString:
    """Return how many nodes report, how many processes run, and what is so on purpose."""
    live, shown = len(fleet.nodes.live), len(fleet.shown)
    running = sum(rows.running for rows in fleet.jobs)
    parts: list[str] = [
        _("%(live)s of %(shown)s nodes report") % {"live": live, "shown": shown},
        ngettext("%(count)s job", "%(count)s jobs", len(fleet.jobs)) % {"count": len(fleet.jobs)},
        ngettext("%(count)s process runs", "%(count)s processes run", running) % {"count": running},
    ]
    if not live and fleet.nodes.last_pulse is not None:
        parts.insert(0, format_html(_("the last report was {} ago"), ages.since(fleet.nodes.last_pulse)))
    held = sum(trouble.tone == "hold" for trouble in troubles)
    off = sum(not rows.job.enabled for rows in fleet.jobs)
    draining = sum(bool(node.draining) for node in fleet.nodes.live)
    for count, words in (
        (held, ngettext("%(count)s job stopped by an operator", "%(count)s jobs stopped by an operator", held)),
        (off, ngettext("%(count)s job is off", "%(count)s jobs are off", off)),
        (draining, ngettext("%(count)s node drains", "%(count)s nodes drain", draining)),
    ):
        if count:
            parts.append(words % {"count": count})
    return format_html('<p class="workerd-figures">{}</p>', format_html_join(" · ", "{}", ((part,) for part in parts)))


def _judge(fleet: Fleet, troubles: Sequence[Trouble]) -> tuple[str, str]:
    if not fleet.nodes.nodes:
        return "bad", _("No daemon has ever reported")
    if not fleet.nodes.live:
        return "bad", _("No daemon reports")
    wrong = [trouble for trouble in troubles if trouble.is_wrong]
    if not wrong:
        return "good", _("All is well")
    jobs = len({trouble.job.pk for trouble in wrong if trouble.job is not None})
    nodes = len({node.pk for trouble in wrong if trouble.job is None for node in trouble.nodes})
    parts = []
    if nodes:
        parts.append(ngettext("%(count)s node", "%(count)s nodes", nodes) % {"count": nodes})
    if jobs:
        parts.append(ngettext("%(count)s job", "%(count)s jobs", jobs) % {"count": jobs})
    return wrong[0].tone, _("In trouble: %(what)s") % {"what": ", ".join(parts)}

"""The board's nodes: each with its health, those first that need a look; of many, the well ones by name alone."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from workerd.admin.ages import Ages
from workerd.admin.badges import badge
from workerd.fleet.nodes import has_left, is_silent
from workerd.models import Node
from workerd.wire.words import State

from .links import Links
from .rows import Fleet

MOST_WHOLE = 12
"""Up to so many nodes each has a line."""
MOST_NAMED = 200
_FIRST = ("bad", "wait", "hold", "rest", "good")
"""The tones of a node's health in the order in which an operator wants to hear of them."""


def node_lines(fleet: Fleet, links: Links, ages: Ages) -> dict[str, Any]:
    """Return the template's values: nodes with a line of their own, those with a name alone, and how many are left."""
    running: dict[int, int] = {}
    for rows in fleet.jobs:
        for slot in rows.slots:
            running[slot.node_id] = running.get(slot.node_id, 0) + (slot.state == State.RUNNING)
    names = short_names(fleet.shown)
    lines = [_line(node, names[node.pk], running.get(node.pk, 0), fleet, links, ages) for node in fleet.shown]
    if len(lines) <= MOST_WHOLE:
        return {"lines": sorted(lines, key=_rank), "named": [], "more": 0}
    well = [line for line in lines if line["is_well"]]
    ill = sorted((line for line in lines if not line["is_well"]), key=_rank)
    return {
        "lines": ill[:MOST_NAMED],
        "named": well[:MOST_NAMED],
        "more": len(well[MOST_NAMED:]) + len(ill[MOST_NAMED:]),
    }


def _rank(line: dict[str, Any]) -> int:
    return _FIRST.index(line["tone"])


def short_names(nodes: Sequence[Node]) -> dict[int, str]:
    """Return the shortest of three names that no two nodes have in common: the host without domain, the host, all."""
    for shorten in (_label, attrgetter("host")):
        if len({shorten(node) for node in nodes}) == len(nodes):
            return {node.pk: shorten(node) for node in nodes}
    return {node.pk: str(node) for node in nodes}


def _label(node: Node) -> str:
    """Return the host without its domain; of an address, as far as it is one, nothing is left out."""
    label, _dot, _domain = node.host.partition(".")
    return node.host if label.isdecimal() else label


def _line(  # noqa: PLR0917 - what a line shows
    node: Node, name: str, running: int, fleet: Fleet, links: Links, ages: Ages
) -> dict[str, Any]:
    tone, word = _health(node, fleet)
    return {
        "name": name,
        "whole": str(node),
        "url": links.node(node),
        "tone": tone,
        "word": word,
        "badge": badge(tone, word),
        "is_well": tone == "good",
        "pulse": _pulse(node, fleet, ages),
        "generation": node.generation,
        "running": running if tone in ("good", "hold") else None,
    }


def _health(node: Node, fleet: Fleet) -> tuple[str, str]:
    if has_left(node):
        return "rest", _("has ended")
    if node.pulse is None:
        return "wait", _("never reported")
    if is_silent(node, fleet.now):
        return "bad", _("silent")
    if node.halt:
        return "bad", _("reload halted")
    return ("hold", _("draining")) if node.draining else ("good", _("reports"))


def _pulse(node: Node, fleet: Fleet, ages: Ages) -> str | SafeString:
    """Return when it last reached the database."""
    if node.pulse is None:
        return ""
    words = _("for {}") if is_silent(node, fleet.now) else _("database {} ago")
    return format_html(words, ages.since(node.pulse))

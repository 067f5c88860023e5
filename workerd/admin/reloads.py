"""A reload that is halted: what the pages say of it, and the two buttons by which an operator decides on it."""

from collections.abc import Mapping

from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _lazy

from workerd.models import Node

from . import permissions
from .orders import Verb
from .snapshot import Nodes
from .words import halt_of

WAYS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "reload_go_on",
            _lazy("Go on with the reload"),
            "",
            _lazy("Moves the other slots to the new code, whatever fails."),
        ),
        Verb("reload_back", _lazy("Take the reload back"), "", _lazy("Moves every slot back to the code before.")),
    )
}


def halts_notice(nodes: Nodes, request: HttpRequest) -> SafeString:
    """Return a line for each node whose reload is halted, with the buttons for a user who may operate."""
    lines = ((node, _halt(node, request), _buttons(node, request)) for node in nodes.live if node.halt)
    return format_html_join("", '<p class="workerd-notice workerd-notice-trouble"><b>{}</b>: {}. {}</p>', lines)


def _halt(node: Node, request: HttpRequest) -> str:
    return halt_of(node, may_view_output=permissions.may_view_output(request)).rstrip(".")


def _buttons(node: Node, request: HttpRequest) -> SafeString:
    """Return the buttons; their form, “workerd-reload”, stands around the piece that the page's script replaces."""
    if not permissions.may_operate(request):
        return SafeString("")
    button = '<button type="submit" class="workerd-small" name="order" value="{} {}" title="{}">{}</button>'
    return format_html_join(" ", button, ((verb.name, node.pk, verb.tooltip, verb.label) for verb in WAYS.values()))

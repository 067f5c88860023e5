"""The jobs that would stop if a node gave its seats away."""

from collections.abc import Sequence

from workerd.models import Node

from .nodes import misfit, why_not
from .picture import Fleet
from .places import Place


def left_without(fleet: Fleet, node: Node) -> list[Place]:
    """Return the places that ``node`` holds and that no other node may take."""
    others = [other for other in fleet.nodes if other.pk != node.pk]
    mine = [place for place in fleet.places if place.holder is not None and place.holder.pk == node.pk]
    return [
        place for place in mine if place.is_wanted and all(why_not(other, place.job, fleet.now) for other in others)
    ]


def refusal(places: Sequence[Place], node: object) -> str:
    """Return why the node is not drained without ``--force``; "" where nothing would stop."""
    if not places:
        return ""
    names = ", ".join(place.name for place in places[:20]) + (" …" if len(places) > 20 else "")
    them = "it" if len(places) == 1 else "them"
    return (
        f"{node} is the last node that may run {names}: to drain it stops {them}. "
        f"Have another node that may run {them}, or say --force."
    )


def is_drained(fleet: Fleet, node: Node) -> bool:
    """Return whether the node has no seat and takes none; one that no fleet job is for may never say that it drains."""
    return not fleet.held[node.pk] and (bool(node.draining) or all(misfit(node, job) for job in fleet.jobs))
